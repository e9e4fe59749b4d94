/** German, by the English text; `texts.js` explains the marks. */

export const GERMAN = Object.freeze({
  "angry": "wütend",
  "disgust": "Ekel",
  "fear": "Angst",
  "happy": "fröhlich",
  "sad": "traurig",
  "surprise": "Überraschung",
  "neutral": "neutral",
  "disgusted": "angewidert",
  "fearful": "ängstlich",
  "surprised": "überrascht",
  "too small": "zu klein",
  "turned away": "abgewandt",
  "too dark": "zu dunkel",
  "too bright": "zu hell",
  "blurred": "unscharf",
  "may be no face": "vielleicht kein Gesicht",
  "no clear expression": "kein klarer Ausdruck",
  "none of these": "nichts davon",
  "nobody": "niemand",
  "one": "eine",
  "two": "zwei",
  "three": "drei",
  "four": "vier",
  "five": "fünf",
  "six": "sechs",
  "seven": "sieben",
  "eight": "acht",
  "nine": "neun",
  "Of ten people, probably all would call this {1}.": "Von zehn Menschen würden es wohl alle „{1}“ nennen.",
  "Of ten people, about {1} would call this {2}{3}.": "Von zehn Menschen würden es etwa {1} „{2}“ nennen{3}.",
  "not sure: {1}": "nicht sicher: {1}",
  "between {1} and {2}": "zwischen {1} und {2}",
  "This page came over plain HTTP, and browsers give the camera to HTTPS and localhost only. Open it over HTTPS, or on the machine that serves it. Photo and Video work here, too.":
    "Diese Seite kam über einfaches HTTP, und Browser geben die Kamera nur an HTTPS und localhost. Öffnen Sie sie über HTTPS oder auf dem Rechner, der sie ausliefert. Foto und Video gehen auch hier.",
  "The camera was not allowed. Allow it in the browser's address bar, then try again.":
    "Die Kamera wurde nicht erlaubt. Erlauben Sie sie in der Adresszeile des Browsers und versuchen Sie es noch einmal.",
  "No camera was found. Connect one, then try again.":
    "Keine Kamera gefunden. Schließen Sie eine an und versuchen Sie es noch einmal.",
  "The camera is in use by another program. Close that one, then try again.":
    "Die Kamera wird von einem anderen Programm benutzt. Schließen Sie es und versuchen Sie es noch einmal.",
  "This camera is not available. Try another camera.": "Diese Kamera ist nicht verfügbar. Versuchen Sie eine andere.",
  "This browser offers no camera to this page. Open the page in another browser.":
    "Dieser Browser bietet der Seite keine Kamera. Öffnen Sie sie in einem anderen Browser.",
  "The camera cannot be used: {1}": "Die Kamera kann nicht benutzt werden: {1}",
  "rear camera": "hintere Kamera",
  "front camera": "vordere Kamera",
  "camera": "Kamera",
  "The camera was disconnected. Connect it again, then start it again.":
    "Die Kamera wurde getrennt. Schließen Sie sie wieder an und starten Sie sie neu.",
  "Demonstration, not you": "Vorführung, nicht Sie",
  "Your camera": "Ihre Kamera",
  "{1} (paused)": "{1} (angehalten)",
  "Stop": "Anhalten",
  "Use my camera": "Meine Kamera benutzen",
  "The model cannot be used on this device: {1}. You can choose \"on the server\" instead.":
    "Das Modell kann auf diesem Gerät nicht benutzt werden: {1}. Sie können stattdessen „auf dem Server“ wählen.",
  "The model cannot be used on the server: {1}.": "Das Modell kann auf dem Server nicht benutzt werden: {1}.",
  "Retrying every second.": "Neuer Versuch jede Sekunde.",
  "Switch off your network: it goes on.": "Schalten Sie Ihr Netz aus: Es geht weiter.",
  "Pictures go over the network.": "Bilder gehen über das Netz.",
  "No picture of your camera leaves this device.": "Kein Bild Ihrer Kamera verlässt dieses Gerät.",
  "Small pictures of your camera go to the server, which processes them and keeps none.":
    "Kleine Bilder Ihrer Kamera gehen zum Server, der sie auswertet und keines behält.",
  "On-device processing is not available here.": "Die Auswertung auf dem Gerät gibt es hier nicht.",
  "The demonstration's picture cannot be loaded. The camera works without it.":
    "Das Bild der Vorführung kann nicht geladen werden. Die Kamera geht auch ohne.",
  "Loading the model: {1} of {2} MB": "Das Modell wird geladen: {1} von {2} MB",
  "Starting the model …": "Das Modell startet …",
  "This is not you.": "Das sind nicht Sie.",
  "What does": "Wie sieht",
  "your": "Ihr",
  "expression look like? No picture leaves your device.": "Ausdruck aus? Kein Bild verlässt Ihr Gerät.",
  "Start my camera": "Meine Kamera starten",
  "Demonstration with a photo and drawn faces: not you":
    "Vorführung mit einem Foto und gezeichneten Gesichtern: nicht Sie",
  "Loading the model …": "Das Modell wird geladen …",
  "Loading": "Laden",
  "Camera": "Kamera",
  "mirror": "spiegeln",
  "What the expressions look like": "Wie die Ausdrücke aussehen",
  "Where images are processed": "Wo Bilder ausgewertet werden",
  "Camera pictures sent by this page:": "Von dieser Seite gesendete Kamerabilder:",
  "on this device": "auf diesem Gerät",
  "on the server": "auf dem Server",
  "the server cannot be reached": "der Server ist nicht erreichbar",
  "the server does not answer": "der Server antwortet nicht",
  "Demonstration: {1}": "Vorführung: {1}",
  "{1} frames/s, ": "{1} Bilder/s, ",
  "{1}{2} ms each": "{1}je {2} ms",
  "No face in view.": "Kein Gesicht im Bild.",
  "looks {1}": "sieht {1} aus",
  "What the model sees": "Was das Modell sieht",
  "What the model sees.": "Was das Modell sieht.",
  "Other faces": "Andere Gesichter",
  "A suggestion appears once your camera is on and one clear expression was seen for {1} seconds, and changes every {2} seconds at most.":
    "Ein Vorschlag erscheint, wenn Ihre Kamera an ist und {1} Sekunden lang ein klarer Ausdruck zu sehen war, und wechselt höchstens alle {2} Sekunden.",
  "Your expression looks {1}.": "Ihr Ausdruck sieht {1} aus.",
  "A moment ago your expression looked {1}.": "Eben sah Ihr Ausdruck {1} aus.",
  "{1} (opens a new tab: {2} search)": "{1} (öffnet einen neuen Tab: Suche bei {2})",
  "Suggestions": "Vorschläge",
  "suggest something for what my expression looks like":
    "etwas vorschlagen, das dazu passt, wie mein Ausdruck aussieht",
  "Something to do:": "Etwas zu tun:",
  "Music:": "Musik:",
  "(demonstration)": "(Vorführung)",
  "Demonstration. {1}": "Vorführung. {1}",
  "not sure": "nicht sicher",
  "nobody in view": "niemand im Bild",
  "{1} older rows were dropped.": "{1} ältere Zeilen wurden weggelassen.",
  "Deleted. While the camera is on, a new session is recorded.":
    "Gelöscht. Solange die Kamera an ist, wird eine neue Sitzung aufgezeichnet.",
  "The last minute": "Die letzte Minute",
  "60 s ago": "vor 60 s",
  "30 s ago": "vor 30 s",
  "now": "jetzt",
  "Colours": "Farben",
  "The largest face in view. The more of the height a colour fills, the more probable its word.":
    "Das größte Gesicht im Bild. Je mehr von der Höhe eine Farbe füllt, desto wahrscheinlicher ist ihr Wort.",
  "This session": "Diese Sitzung",
  "Nothing is recorded yet. It begins with your camera; the demonstration is not counted.":
    "Noch ist nichts aufgezeichnet. Es beginnt mit Ihrer Kamera; die Vorführung zählt nicht.",
  "Length": "Dauer",
  "Classified": "Eingeordnet",
  "Not sure": "Nicht sicher",
  "Nobody in view": "Niemand im Bild",
  "No pictures": "Keine Bilder",
  "What the largest face in view looked like, as a share of the time it could be classified":
    "Wie das größte Gesicht im Bild aussah, als Anteil der Zeit, in der es eingeordnet werden konnte",
  "Expression": "Ausdruck",
  "Share": "Anteil",
  "Time": "Zeit",
  "Longest stretch": "Am längsten",
  "The numbers are for the largest face at each moment. In the files every face has rows of its own, at most four a second; the newest":
    "Die Zahlen gelten für das jeweils größte Gesicht. In den Dateien hat jedes Gesicht eigene Zeilen, höchstens vier in der Sekunde; die neuesten",
  "are kept.": "werden behalten.",
  "Download CSV": "CSV herunterladen",
  "Download JSON": "JSON herunterladen",
  "Delete": "Löschen",
  "Held in this page only, and gone when you close it.": "Nur in dieser Seite, und weg, wenn Sie sie schließen.",
  "No data yet.": "Noch keine Daten.",
  "Last {1} s: {2}.": "Letzte {1} s: {2}.",
  "brows down and together, lips pressed": "Brauen nach unten und zusammen, Lippen gepresst",
  "eyes wide open, brows up and together, mouth stretched":
    "Augen weit auf, Brauen hoch und zusammen, Mund gestreckt",
  "a broad smile": "ein breites Lächeln",
  "inner ends of the brows up, corners of the mouth down": "innere Enden der Brauen hoch, Mundwinkel nach unten",
  "brows up, eyes and mouth wide open": "Brauen hoch, Augen und Mund weit auf",
  "nothing moves": "nichts bewegt sich",
  "The model sees {1} too seldom for a fair game, so it is left out.":
    "Das Modell erkennt {1} zu selten für ein faires Spiel, darum fehlt es.",
  "Made: {1}, {2} points. ": "Geschafft: {1}, {2} Punkte. ",
  "Make this face: {1}.": "Machen Sie dieses Gesicht: {1}.",
  "Play again": "Noch einmal spielen",
  "The game is over. {1}": "Das Spiel ist aus. {1}",
  "Your picture. {1} It shows {2}.": "Ihr Bild. {1} Es zeigt {2}.",
  "Not sure: {1}.": "Nicht sicher: {1}.",
  "You made one face: {1} points.": "Sie haben ein Gesicht geschafft: {1} Punkte.",
  "You made {1} faces: {2} points.": "Sie haben {1} Gesichter geschafft: {2} Punkte.",
  "Nobody is in view.": "Niemand ist im Bild.",
  "Hold it …": "Halten …",
  "No face was made this time.": "Diesmal ist kein Gesicht gelungen.",
  "a try": "ein Versuch",
  "A model's guess at what an expression looks like, not at what anybody feels.":
    "Eines Modells Schätzung, wie ein Ausdruck aussieht, nicht was jemand fühlt.",
  "Make this face": "Mach dieses Gesicht",
  "Play": "Spielen",
  "Skip this one": "Dieses überspringen",
  "You, as you are seen now": "Sie, wie Sie jetzt gesehen werden",
  "s left,": "s übrig,",
  "points": "Punkte",
  "Download picture": "Bild herunterladen",
  "Pictures of it stay in this page until you delete them, play again or leave.":
    "Die Bilder davon bleiben in dieser Seite, bis Sie sie löschen, noch einmal spielen oder gehen.",
  "Kept as {1}.": "Behalten als {1}.",
  "Remove the face kept as {1}": "Das als {1} behaltene Gesicht entfernen",
  "Start your camera first: this is about your face.": "Starten Sie zuerst Ihre Kamera: Es geht um Ihr Gesicht.",
  "No face is in view now. Try again when one is.":
    "Jetzt ist kein Gesicht im Bild. Versuchen Sie es, wenn eines da ist.",
  "At most {1} faces are kept. Download them first.":
    "Höchstens {1} Gesichter werden behalten. Laden Sie sie erst herunter.",
  "The zip cannot be made without a part of the page that could not be loaded.":
    "Das Zip kann nicht gemacht werden ohne einen Teil der Seite, der nicht geladen werden konnte.",
  "The zip cannot be made: {1}.": "Das Zip kann nicht gemacht werden: {1}.",
  "Deleted.": "Gelöscht.",
  "The model was not sure; its best guess was {1}.": "Das Modell war nicht sicher; am ehesten {1}.",
  "The model answered: {1} {2}.": "Das Modell antwortete: {1} {2}.",
  "Nothing is kept yet.": "Noch ist nichts behalten.",
  "Kept: {1}. It can be trained on; more faces, of every word, are better.":
    "Behalten: {1}. Damit lässt sich trainieren; mehr Gesichter zu jedem Wort sind besser.",
  "Kept: {1}. Training needs at least {2} faces in each of {3} classes.":
    "Behalten: {1}. Das Training braucht mindestens {2} Gesichter in jeder von {3} Klassen.",
  "Teach it": "Modell trainieren",
  "When the model is wrong about your face, keep the face with the right word. A zip of such faces can teach a model further. They stay in this page until you delete them or leave it; ask others before you keep their faces.":
    "Wenn das Modell Ihr Gesicht falsch deutet, behalten Sie es mit dem richtigen Wort. Mit einem Zip solcher Gesichter lässt sich ein Modell weiter trainieren. Sie bleiben in dieser Seite, bis Sie sie löschen oder gehen; fragen Sie andere, bevor Sie deren Gesichter behalten.",
  "That's wrong": "Das stimmt nicht",
  "Keep this face": "Dieses Gesicht behalten",
  "What does this expression look like?": "Wie sieht dieser Ausdruck aus?",
  "The face as the model was shown it": "Das Gesicht, wie das Modell es sah",
  "Cancel": "Abbrechen",
  "Faces kept": "Behaltene Gesichter",
  "Download zip": "Zip herunterladen",
  "Delete all": "Alle löschen",
  "not sure, at best {1}": "nicht sicher, am ehesten {1}",
  "{1} In {2} …": "{1} In {2} …",
  "{1} frames of {2} are taken.": "{1} Bilder von „{2}“ sind aufgenommen.",
  "{1} is deleted.": "„{1}“ ist gelöscht.",
  "Delete {1}": "„{1}“ löschen",
  "{1}: {2} frames ": "{1}: {2} Bilder ",
  "Rest your face and look at the camera.": "Lassen Sie Ihr Gesicht ruhen und schauen Sie in die Kamera.",
  "Your neutral is forgotten.": "Ihr neutrales Gesicht ist vergessen.",
  "The last one is undone.": "Die letzte ist zurückgenommen.",
  "The corrections are deleted.": "Die Korrekturen sind gelöscht.",
  "Talk, smile, look around: anything but your own expressions":
    "Reden, lächeln, umherschauen: alles außer Ihren eigenen Ausdrücken",
  "Stopped.": "Angehalten.",
  "At most {1} faces are learned from. Undo or delete some first.":
    "Aus höchstens {1} Gesichtern wird gelernt. Nehmen Sie erst welche zurück oder löschen Sie sie.",
  "The answer was: {1}.": "Die Antwort war: {1}.",
  "No face was in view for long enough. Try again when one is.":
    "Es war nicht lange genug ein Gesicht im Bild. Versuchen Sie es, wenn eines da ist.",
  "Your neutral comes from {1} frames.": "Ihr neutrales Gesicht stammt aus {1} Bildern.",
  "Get ready for {1}, and hold it": "Machen Sie sich bereit für „{1}“ und halten Sie es",
  "{1} is in use.": "{1} wird benutzt.",
  "it cannot be read: {1}": "es ist nicht lesbar: {1}",
  "{1} is not used: {2}.": "{1} wird nicht benutzt: {2}.",
  "What is learned is kept on this device until you delete it.":
    "Was gelernt wurde, bleibt auf diesem Gerät, bis Sie es löschen.",
  "Nothing is kept on this device now.": "Auf diesem Gerät ist jetzt nichts gespeichert.",
  "This browser keeps nothing here: {1}.": "Dieser Browser speichert hier nichts: {1}.",
  "What was kept on this device was for another model, and is deleted.":
    "Was auf diesem Gerät war, gehörte zu einem anderen Modell und ist gelöscht.",
  "What this page learned on an earlier visit is in use.":
    "Was diese Seite bei einem früheren Besuch gelernt hat, wird benutzt.",
  "Everything is deleted.": "Alles ist gelöscht.",
  "What this browser keeps could not be deleted: {1}. Delete this site's data in its settings.":
    "Was dieser Browser aufbewahrt, konnte nicht gelöscht werden: {1}. Löschen Sie die Daten dieser Seite in seinen Einstellungen.",
  "It could not be kept: {1}.": "Es konnte nicht gespeichert werden: {1}.",
  "Corrections from a file are in use.": "Korrekturen aus einer Datei werden benutzt.",
  "1 face is kept. From the second on, the page can check whether it helps.":
    "1 Gesicht ist behalten. Ab dem zweiten kann die Seite prüfen, ob es hilft.",
  "On your {1} faces: {2} right before, {3} now": "Bei Ihren {1} Gesichtern: vorher {2} richtig, jetzt {3}",
  ", but the right answers are likelier": ", aber die richtigen Antworten sind wahrscheinlicher",
  "\"{1}\" has a button of its own.": "„{1}“ hat einen eigenen Knopf.",
  "Now take \"{1}\": talk, smile, look around, but do none of your expressions.":
    "Nehmen Sie jetzt „{1}“ auf: reden, lächeln, umherschauen, aber keinen Ihrer Ausdrücke.",
  "Type a name first, such as wink.": "Schreiben Sie erst einen Namen, etwa Zwinkern.",
  "A name has at most {1} letters.": "Ein Name hat höchstens {1} Buchstaben.",
  "The model has a bar for {1} already. Use \"That's wrong\" for it.":
    "Das Modell hat für {1} schon einen Balken. Nehmen Sie dafür „Das stimmt nicht“.",
  "At most {1} names fit.": "Höchstens {1} Namen passen.",
  "No face is kept yet.": "Noch ist kein Gesicht behalten.",
  "{1}. That does not help, so they are not used.": "{1}. Das hilft nicht, darum werden sie nicht benutzt.",
  "{1}{2}. So they are used.": "{1}{2}. Darum werden sie benutzt.",
  "Own expressions from a file are in use; new frames replace them.":
    "Eigene Ausdrücke aus einer Datei werden benutzt; neue Bilder ersetzen sie.",
  "Now take an expression with a name of yours.": "Nehmen Sie jetzt einen Ausdruck mit eigenem Namen auf.",
  "Recognised: {1} of {2} frames, each by what was learned from other seconds.":
    "Erkannt: {1} von {2} Bildern, jedes mit dem, was aus anderen Sekunden gelernt wurde.",
  "{1} Another day or light may be harder.": "{1} An einem anderen Tag oder bei anderem Licht kann es schwerer sein.",
  "{1} That is too few, so no bars are shown. Make the expressions larger and take them again.":
    "{1} Das ist zu wenig, darum gibt es keine Balken. Machen Sie die Ausdrücke deutlicher und nehmen Sie sie noch einmal auf.",
  "Learn my face": "Mein Gesicht lernen",
  "The model was made from many people's faces, and none of them was yours. What you show it here adapts its answer in this page, at once. Only numbers are kept, no pictures, and they never leave this device by themselves. It adapts every face in view, so use it while you are alone.":
    "Das Modell entstand aus den Gesichtern vieler Menschen, und keines war Ihres. Was Sie ihm hier zeigen, passt seine Antwort in dieser Seite sofort an. Nur Zahlen werden behalten, keine Bilder, und sie verlassen dieses Gerät nie von selbst. Angepasst wird jedes Gesicht im Bild, also benutzen Sie es allein.",
  "This needs the model on this device: choose \"on this device\" beside the picture.":
    "Das braucht das Modell auf diesem Gerät: Wählen Sie neben dem Bild „auf diesem Gerät“.",
  "Taking frames": "Bilder werden aufgenommen",
  "My neutral": "Mein neutrales Gesicht",
  "Three seconds of your resting face: the bars then start from it.":
    "Drei Sekunden Ihres ruhenden Gesichts: Die Balken gehen dann davon aus.",
  "Take my resting face": "Mein ruhendes Gesicht aufnehmen",
  "use my neutral": "mein neutrales Gesicht benutzen",
  "Your resting face, before and after": "Ihr ruhendes Gesicht, vorher und nachher",
  "looks": "sieht aus",
  "before": "vorher",
  "after": "nachher",
  "Forget my neutral": "Mein neutrales Gesicht vergessen",
  "Corrections": "Korrekturen",
  "Press “That's wrong” beside the headline when the model misreads you, and keep some faces that it reads right too: they hold it in place.":
    "Drücken Sie „Das stimmt nicht“ neben der Überschrift, wenn das Modell Sie falsch deutet, und behalten Sie auch Gesichter, die es richtig deutet: Sie halten es fest.",
  "Undo the last": "Die letzte zurücknehmen",
  "Delete corrections": "Korrekturen löschen",
  "My own expressions": "Meine eigenen Ausdrücke",
  "A wink, a yawn, your thinking face: name it, then hold it for three seconds after the countdown.":
    "Ein Zwinkern, ein Gähnen, Ihr Denkergesicht: Geben Sie ihm einen Namen und halten Sie es nach dem Zählen drei Sekunden lang.",
  "Name of your expression": "Name Ihres Ausdrucks",
  "Take it": "Aufnehmen",
  "Take “none of these”": "„nichts davon“ aufnehmen",
  "Keep it": "Behalten",
  "remember it in this browser, for the next visit": "in diesem Browser merken, für den nächsten Besuch",
  "Download personal.json": "personal.json herunterladen",
  "Load personal.json": "personal.json laden",
  "Delete everything": "Alles löschen",
  "What does your expression look like?": "Wie sieht Ihr Ausdruck aus?",
  "The face of that moment": "Das Gesicht dieses Augenblicks",
  "What does it look like?": "Wie sieht er aus?",
  "Adapted to you: these bars are personal, no longer what ten people would say.":
    "An Sie angepasst: Diese Balken sind persönlich und nicht mehr, was zehn Menschen sagen würden.",
  "Your own expressions; no votes stand behind them.": "Ihre eigenen Ausdrücke; hinter ihnen stehen keine Stimmen.",
  "Back to the live view": "Zurück zur Live-Ansicht",
  "Share the picture": "Bild teilen",
  "This game needs your camera; what is wrong with it stands beside the picture.":
    "Dieses Spiel braucht Ihre Kamera; was mit ihr nicht stimmt, steht neben dem Bild.",
  "Get ready …": "Machen Sie sich bereit …",
  "It cannot be shared: {1}.": "Es kann nicht geteilt werden: {1}.",
  "A game of 30 seconds with 6 for each face: make the face that is asked for, and hold it. Each gives 10 points, and up to 10 more if it is quick.":
    "Ein Spiel von 30 Sekunden mit 6 für jedes Gesicht: Machen Sie das verlangte Gesicht und halten Sie es. Jedes gibt 10 Punkte, und bis zu 10 mehr, wenn es schnell geht.",
  "Live Emotion Detector": "Live Emotion Detector",
  "What does the": "Wie sieht der",
  "expression": "Ausdruck",
  "on a face look like? Each bar estimates how many of a hundred people would pick that word for it.":
    "auf einem Gesicht aus? Jeder Balken schätzt, wie viele von hundert Menschen dieses Wort dafür wählen würden.",
  "What this is, and what it is not.": "Was das ist, und was nicht.",
  "The program names the look of an expression; it cannot tell what somebody feels, thinks or intends, and it is often wrong. Do not use it to judge people. Inferring emotions at workplaces and in schools is prohibited in the European Union (AI Act, Art. 5(1)(f)), and people shown to such a system must be told (Art. 50(3)): tell everybody in the picture.":
    "Das Programm benennt, wie ein Ausdruck aussieht; was jemand fühlt, denkt oder vorhat, kann es nicht wissen, und es irrt oft. Benutzen Sie es nicht, um Menschen zu beurteilen. Emotionen am Arbeitsplatz und in Schulen abzuleiten ist in der Europäischen Union verboten (KI-Verordnung, Art. 5 Abs. 1 Buchst. f), und Menschen, die einem solchen System gezeigt werden, müssen es erfahren (Art. 50 Abs. 3): Sagen Sie es allen im Bild.",
  "For whom it is worse.": "Für wen es schlechter ist.",
  "Nobody has measured whether this model works equally well for everyone.":
    "Niemand hat gemessen, ob dieses Modell für alle gleich gut arbeitet.",
  "No gap between the groups that were measured is more than chance, which does not prove that there is none.":
    "Kein gemessener Abstand zwischen Gruppen ist größer als der Zufall, was nicht beweist, dass es keinen gibt.",
  "Measured, and more than chance: {1}.": "Gemessen, und mehr als Zufall: {1}.",
  "posed smiles called happy: women {1}, men {2} (n = {3})":
    "Lächeln für das Foto, das „fröhlich“ heißt: bei Frauen {1}, bei Männern {2} (n = {3})",
  "What you show stays on your device": "Was Sie zeigen, bleibt auf Ihrem Gerät",
  ": this page has no server that could take a picture. Nobody is recognised.":
    ": Diese Seite hat keinen Server, der ein Bild annehmen könnte. Niemand wird wiedererkannt.",
  "In use:": "In Benutzung:",
  "Licences": "Lizenzen",
  // What app.py, space/tabs/ and the errors of the core say; Gradio's own words, too, for ?lang=de in another browser.
  "Live": "Live",
  "Live (basic)": "Live (einfach)",
  "Photo": "Foto",
  "Video": "Video",
  "More tabs": "Weitere Reiter",
  "What you show is not kept": "Was Sie zeigen, wird nicht behalten",
  ": frames of the camera are never written to disk, an uploaded photo is deleted from it within a few minutes, an uploaded video and what was made of it within a quarter of an hour or when you leave, and the last pictures of each are forgotten when you leave the page. Nobody is recognised.":
    ": Bilder der Kamera werden nie auf die Festplatte geschrieben, ein hochgeladenes Foto wird dort nach wenigen Minuten gelöscht, ein hochgeladenes Video und was daraus entstand nach einer Viertelstunde oder wenn Sie gehen, und die letzten Bilder von beiden sind vergessen, wenn Sie die Seite verlassen. Niemand wird wiedererkannt.",
  "In use: {1}.": "In Benutzung: {1}.",
  "model embedded in this program, face detector {1}": "in diesem Programm eingebettetes Modell, Gesichtserkennung {1}",
  "Built with Gradio": "Mit Gradio gebaut",
  "Settings": "Einstellungen",
  "Gradio footer navigation": "Fußzeile",
  "logo": "Logo",
  "Stop Recording": "Aufnahme beenden",
  "Drop Image Here": "Bild hierher ziehen",
  "Drop File Here": "Datei hierher ziehen",
  "Drop an image file here to upload": "Bilddatei hierher ziehen, um sie hochzuladen",
  "Click to upload or drop files": "Klicken oder Dateien hierher ziehen",
  "- or -": "- oder -",
  "Click to Upload": "Klicken zum Hochladen",
  "Upload file": "Datei hochladen",
  "File upload": "Datei hochladen",
  "Paste from clipboard": "Aus der Zwischenablage einfügen",
  "Empty value": "Noch leer",
  "Fullscreen": "Vollbild",
  "View in full screen": "Vollbild",
  "Exit fullscreen mode": "Vollbild beenden",
  "Clear": "Leeren",
  "Remove Image": "Bild entfernen",
  "Remove this file": "Diese Datei entfernen",
  "Uploading {1} file...": "{1} Datei wird hochgeladen …",
  "Download": "Herunterladen",
  "Error": "Fehler",
  "Connection errored out.": "Die Verbindung ist abgebrochen.",
  "Your photo": "Ihr Foto",
  "Faces found": "Gefundene Gesichter",
  "Suggest something for the largest face that can be classified":
    "Etwas vorschlagen für das größte Gesicht, das eingeordnet werden kann",
  "There is no suggestion: no face here shows one clear expression.":
    "Es gibt keinen Vorschlag: Kein Gesicht hier zeigt einen klaren Ausdruck.",
  "Something to do: {1}": "Etwas zu tun: {1}",
  "(opens a new tab: {1} search)": "(öffnet einen neuen Tab: Suche bei {1})",
  "Examples": "Beispiele",
  "One face": "Ein Gesicht",
  "Face {1}": "Gesicht {1}",
  "{1} faces, the largest first": "{1} Gesichter, das größte zuerst",
  "No face was found. A larger, well-lit face seen from the front works best.":
    "Es wurde kein Gesicht gefunden. Am besten geht ein größeres, gut beleuchtetes Gesicht von vorn.",
  "This expression looks": "Dieser Ausdruck wirkt",
  "Not sure:": "Nicht sicher:",
  "This file cannot be used:": "Diese Datei geht nicht:",
  "the file is empty.": "Sie ist leer.",
  "there is no such file.": "Es gibt sie nicht.",
  "the picture takes too long to read.": "Das Bild zu lesen dauert zu lange.",
  "the file cannot be opened: {1}.": "Sie kann nicht geöffnet werden: {1}.",
  "the file is too large; the limit is {1} MB.": "Sie ist zu groß; die Grenze ist {1} MB.",
  "the picture has {1}; at most {2} pixels a side are taken.":
    "Das Bild hat {1}; höchstens {2} Pixel je Seite sind möglich.",
  "{1} pixels": "{1} Pixel",
  "the picture is damaged or incomplete: {1}.": "Das Bild ist beschädigt oder unvollständig: {1}.",
  "this JPEG has more than {1} scans, the most that are read at this size.":
    "Dieses JPEG hat mehr als {1} Durchgänge; mehr werden bei dieser Größe nicht gelesen.",
  "this is not a picture that can be read; send one of {1}.": "Das ist kein lesbares Bild; senden Sie eines von {1}.",
  "too many large pictures are being read now; try again in a minute.":
    "Gerade werden zu viele große Bilder gelesen; versuchen Sie es in einer Minute noch einmal.",
  "One video of at most": "Ein Video von höchstens",
  "{1} seconds": "{1} Sekunden",
  "seconds": "Sekunden",
  "probability": "Wahrscheinlichkeit",
  "seconds: {1}; probability: {2}; expression: {3}": "Sekunden: {1}; Wahrscheinlichkeit: {2}; Ausdruck: {3}",
  "and {1} pixels: MP4, MOV, WebM, MKV, AVI and others. It is labelled on the server, {2} videos at once; others wait for their turn. What you send is deleted a minute or two after it is labelled, and what was made of it after {3} minutes or as soon as you leave.":
    "und {1} Pixeln: MP4, MOV, WebM, MKV, AVI und andere. Es wird auf dem Server ausgewertet, {2} Videos zugleich; andere warten, bis sie an der Reihe sind. Was Sie senden, wird ein, zwei Minuten nach der Auswertung gelöscht, und was daraus entstand nach {3} Minuten oder sobald Sie gehen.",
  "Your video": "Ihr Video",
  "Try it with an example clip": "Mit einem Beispiel ausprobieren",
  "The video is here. Its place in the queue, then its progress:":
    "Das Video ist da. Sein Platz in der Schlange, dann sein Fortschritt:",
  "Cancelled. The video is deleted.": "Abgebrochen. Das Video ist gelöscht.",
  "{1} of {2} s": "{1} von {2} s",
  "queue: {1}": "Schlange: {1}",
  "processing |": "läuft |",
  "The labelled video": "Das ausgewertete Video",
  "Download the video": "Video herunterladen",
  "Download the table (CSV)": "Tabelle herunterladen (CSV)",
  "{1} s, {2} pictures, {3}.": "{1} s, {2} Bilder, {3}.",
  "nobody was seen": "niemand war zu sehen",
  "one person": "eine Person",
  "{1} people": "{1} Personen",
  "Not all of it: {1}.": "Nicht ganz: {1}.",
  "only the first {1} frames were processed, which is the limit":
    "nur die ersten {1} Bilder wurden ausgewertet, das ist die Grenze",
  "Person {1}": "Person {1}",
  // What Gradio's plots say to screen readers.
  "Vega visualization": "Vega-Darstellung",
  "X-axis titled '{1}' for a linear scale with values from {2} to {3}": "x-Achse „{1}“, linear von {2} bis {3}",
  "Y-axis titled '{1}' for a linear scale with values from {2} to {3}": "y-Achse „{1}“, linear von {2} bis {3}",
  ", in view for {1} s: looks mostly": ", {1} s im Bild, wirkt meist",
  "({1} of the time that could be classified).": "({1} der Zeit, die eingeordnet werden konnte).",
  "({1} of the time that could be classified). Not sure for {2} s ({3}).":
    "({1} der Zeit, die eingeordnet werden konnte). Nicht sicher für {2} s ({3}).",
  ", in view for {1} s: not sure what the expression looks like ({2}).":
    ", {1} s im Bild: nicht sicher, wie der Ausdruck aussieht ({2}).",
  "And {1} more, in view for less long; the table has them all.":
    "Und {1} weitere, kürzer im Bild; die Tabelle hat alle.",
  "it could not be kept here while it is labelled; send it again.":
    "Sie konnte hier nicht behalten werden; senden Sie sie noch einmal.",
  "the file holds no video that can be read, or is incomplete.":
    "Sie enthält kein lesbares Video oder ist unvollständig.",
  "the video holds no picture that can be read.": "Das Video enthält kein lesbares Bild.",
  "the video has {1} x {2} pixels; the limit is {3} million pixels a picture.":
    "Das Video hat {1} x {2} Pixel; die Grenze sind {3} Millionen Pixel je Bild.",
  "the video is damaged from {1} s on": "das Video ist ab {1} s beschädigt",
  "the video lasts longer than {1} s, which is the limit": "das Video ist länger als {1} s, das ist die Grenze",
  "the video should last {1} s, but can be read up to {2} s only":
    "das Video sollte {1} s lang sein, ist aber nur bis {2} s lesbar",
  "this is not a video that can be read, or the file is incomplete; send one of {1}.":
    "Das ist kein lesbares Video, oder die Datei ist unvollständig; senden Sie eines von {1}.",
  "This browser cannot play the video, which is H.264 in MP4. Download it, and play it in another program.":
    "Dieser Browser kann das Video (H.264 in MP4) nicht abspielen. Laden Sie es herunter und spielen Sie es in einem anderen Programm ab.",
  "The video cannot be played here. Download it if it is still there; it is deleted after a while.":
    "Das Video kann hier nicht abgespielt werden. Laden Sie es herunter, wenn es noch da ist; nach einer Weile wird es gelöscht.",
  "Press the camera, allow it, then press": "Drücken Sie auf die Kamera, erlauben Sie sie und drücken Sie dann",
  "Record": "Aufnehmen",
  "Click to Access Webcam": "Hier klicken, um die Kamera zu erlauben",
  "What the program sees": "Was das Programm sieht",
  "Largest face": "Größtes Gesicht",
  ". Light from the front works best. A session lasts {1} minutes at most; then press Record again.":
    ". Licht von vorn ist am besten. Eine Sitzung dauert höchstens {1} Minuten; drücken Sie dann noch einmal.",
  "This view cannot be loaded: {1} The tab Live (basic) may work.":
    "Diese Ansicht kann nicht geladen werden: {1} Der Reiter „Live (einfach)“ geht vielleicht.",
  "too many people use this server now, and you have most of what waits; try again in a minute":
    "Zu viele Menschen benutzen diesen Server gerade, und das meiste, was wartet, ist von Ihnen; versuchen Sie es in einer Minute noch einmal.",
  "nobody was waiting for the answer when it was this event's turn; send it again, and read the answer":
    "Niemand hat auf die Antwort gewartet, als dies an der Reihe war; senden Sie es noch einmal.",
  "too many requests; try again in {1} s": "Zu viele Anfragen; versuchen Sie es in {1} s noch einmal.",
  // What space/suggestions.yaml suggests; what to search for is the same in all languages.
  // angry
  "Whatever is behind it, there is no rush to answer.": "Was immer dahintersteckt: Mit der Antwort eilt es nicht.",
  "Most things can wait a minute, and this may be one of them.":
    "Das meiste kann eine Minute warten, und das hier vielleicht auch.",
  "A short pause is yours whenever you want one.": "Eine kurze Pause gehört Ihnen, wann immer Sie eine wollen.",
  "Nobody has to solve everything in one go.": "Niemand muss alles auf einmal lösen.",
  "Wanting things to be right is a good trait.": "Zu wollen, dass etwas stimmt, ist eine gute Eigenschaft.",
  "Hard thinking can look like this, too. Carry on if so.":
    "Scharfes Nachdenken kann auch so aussehen. Dann einfach weiter so.",
  "One small thing put right is already a good start.":
    "Eine Kleinigkeit in Ordnung gebracht ist schon ein guter Anfang.",
  "There is usually a second way to do it.": "Meistens gibt es noch einen zweiten Weg.",
  "Write down in one sentence what could be better.": "Schreiben Sie in einem Satz auf, was besser sein könnte.",
  "Put three things on your desk exactly where you want them.":
    "Legen Sie drei Dinge auf Ihrem Tisch genau dorthin, wo Sie sie haben wollen.",
  "Draw quick, bold lines on scrap paper until it is full.":
    "Zeichnen Sie schnelle, kräftige Striche auf Schmierpapier, bis es voll ist.",
  "Count backwards from fifty in steps of three.": "Zählen Sie von fünfzig in Dreierschritten rückwärts.",
  "Look for five things of the same colour around you.": "Suchen Sie um sich herum fünf Dinge derselben Farbe.",
  "Tap the rhythm of a song on the table.": "Klopfen Sie den Rhythmus eines Liedes auf den Tisch.",
  "Write the message you have in mind, and leave it unsent until tomorrow.":
    "Schreiben Sie die Nachricht, die Ihnen durch den Kopf geht, und schicken Sie sie nicht vor morgen ab.",
  "Look at the farthest thing that you can see from where you are.":
    "Schauen Sie auf das Fernste, das Sie von hier aus sehen können.",
  // disgust
  "Not everything has to be to your taste.": "Nicht alles muss nach Ihrem Geschmack sein.",
  "Knowing what you do not like is useful, too.": "Zu wissen, was man nicht mag, ist auch etwas wert.",
  "You may look away whenever you want to.": "Sie dürfen wegschauen, wann immer Sie wollen.",
  "Perhaps it was just an odd angle. Faces do that.":
    "Vielleicht war es nur ein seltsamer Winkel. Gesichter machen das.",
  "A firm no now and then leaves room for a good yes.": "Ein klares Nein dann und wann lässt Platz für ein gutes Ja.",
  "There is always something nicer to look at next.":
    "Es gibt immer etwas Schöneres, das man als Nächstes ansehen kann.",
  "Being picky is allowed.": "Wählerisch sein ist erlaubt.",
  "A change of view is only a glance away.": "Eine andere Aussicht ist nur einen Blick entfernt.",
  "Tidy one corner of your desk.": "Räumen Sie eine Ecke Ihres Tisches auf.",
  "Look at a picture of a place that you would like to visit.":
    "Sehen Sie sich das Bild eines Ortes an, den Sie gern besuchen würden.",
  "Name three smells that you like.": "Nennen Sie drei Gerüche, die Sie mögen.",
  "Pick the most pleasing colour that you can see right now.":
    "Suchen Sie die angenehmste Farbe, die Sie gerade sehen.",
  "Give your screen a wipe.": "Wischen Sie einmal über Ihren Bildschirm.",
  "Make a list of five things that you find beautiful.": "Schreiben Sie fünf Dinge auf, die Sie schön finden.",
  "Choose a new background picture for your device.": "Wählen Sie ein neues Hintergrundbild für Ihr Gerät.",
  "Fold a piece of paper into something neat.": "Falten Sie aus einem Blatt Papier etwas Hübsches.",
  // fear
  "One thing at a time is a good pace.": "Eins nach dem anderen ist ein gutes Tempo.",
  "Small steps count as steps.": "Kleine Schritte zählen als Schritte.",
  "Not everything has to be done today.": "Nicht alles muss heute fertig werden.",
  "You can stop or close this page whenever you like.": "Sie können jederzeit aufhören oder diese Seite schließen.",
  "New things often get easier with practice.": "Neues wird mit der Übung oft leichter.",
  "Asking a question is always allowed.": "Fragen ist immer erlaubt.",
  "Wide eyes see a lot. Curiosity can look like this, too.": "Große Augen sehen viel. Auch Neugier kann so aussehen.",
  "Whatever comes next, it can be taken slowly.": "Was auch kommt, man kann es langsam angehen.",
  "Find something near you for each letter of your first name.":
    "Finden Sie in Ihrer Nähe etwas zu jedem Buchstaben Ihres Vornamens.",
  "Touch something soft near you and describe it in three words.":
    "Berühren Sie etwas Weiches in Ihrer Nähe und beschreiben Sie es in drei Wörtern.",
  "Write down one next step, however small.": "Schreiben Sie einen nächsten Schritt auf, wie klein er auch ist.",
  "Listen for three different sounds around you.": "Lauschen Sie auf drei verschiedene Geräusche um Sie herum.",
  "Put a favourite object where you can see it.": "Stellen Sie einen Lieblingsgegenstand dorthin, wo Sie ihn sehen.",
  "Fill the squares of checked paper with a pattern.":
    "Füllen Sie die Kästchen von kariertem Papier mit einem Muster.",
  "Say the alphabet backwards, as far as you get.": "Sagen Sie das Alphabet rückwärts auf, so weit Sie kommen.",
  "Play a round of a simple puzzle.": "Spielen Sie eine Runde eines einfachen Rätsels.",
  // happy
  "Good moments are worth noticing.": "Gute Augenblicke sind es wert, bemerkt zu werden.",
  "It is nice to have you here.": "Schön, dass Sie da sind.",
  "Whatever it is, may there be more of it.": "Was es auch ist, möge es mehr davon geben.",
  "Light moments are easy to share.": "Leichte Augenblicke lassen sich leicht teilen.",
  "Keep a little of this for later.": "Heben Sie ein wenig davon für später auf.",
  "This is a good time to begin something you enjoy.":
    "Das ist ein guter Zeitpunkt, etwas anzufangen, das Ihnen Freude macht.",
  "Small pleasures count.": "Kleine Freuden zählen.",
  "Bright moments have no minimum length.": "Helle Augenblicke haben keine Mindestdauer.",
  "Write one line about today to read again next year.":
    "Schreiben Sie eine Zeile über heute, um sie nächstes Jahr wieder zu lesen.",
  "Send a friendly word to somebody.": "Schicken Sie jemandem ein freundliches Wort.",
  "Make up a silly name for the object nearest to you.":
    "Erfinden Sie einen albernen Namen für den nächsten Gegenstand.",
  "Hum the first tune that comes to mind.": "Summen Sie die erste Melodie, die Ihnen einfällt.",
  "Draw a face inside something round.": "Zeichnen Sie ein Gesicht in etwas Rundes.",
  "Choose a picture that you like and put it where you will see it.":
    "Suchen Sie ein Bild aus, das Sie mögen, und stellen Sie es dorthin, wo Sie es sehen.",
  "Plan one small thing to look forward to.": "Planen Sie eine Kleinigkeit, auf die Sie sich freuen können.",
  "Start something that you have been saving for a good moment.":
    "Fangen Sie etwas an, das Sie sich für einen guten Augenblick aufgehoben haben.",
  // sad
  "Slow days are days, too.": "Auch langsame Tage sind Tage.",
  "Nobody has to be cheerful all day.": "Niemand muss den ganzen Tag fröhlich sein.",
  "Whatever today is like, you are welcome here.": "Wie der heutige Tag auch ist, Sie sind hier willkommen.",
  "There is no need to hurry.": "Es gibt keinen Grund zur Eile.",
  "Being gentle with yourself is time well spent.": "Sanft mit sich zu sein ist gut verbrachte Zeit.",
  "Quiet moments have their place.": "Stille Augenblicke haben ihren Platz.",
  "Small comforts count.": "Kleine Tröstungen zählen.",
  "Deep thought can look like this, too.": "Auch tiefes Nachdenken kann so aussehen.",
  "Make your seat cosier with a cushion, a blanket or a better angle.":
    "Machen Sie Ihren Platz gemütlicher, mit einem Kissen, einer Decke oder einem besseren Winkel.",
  "Look through pictures of animals.": "Sehen Sie sich Bilder von Tieren an.",
  "Write a few lines that nobody else needs to read.": "Schreiben Sie ein paar Zeilen, die sonst niemand lesen muss.",
  "Read a page of a book that you know well.": "Lesen Sie eine Seite eines Buches, das Sie gut kennen.",
  "Watch the clouds or the lights outside for a few minutes.":
    "Schauen Sie ein paar Minuten den Wolken oder den Lichtern draußen zu.",
  "Draw small circles until the page has a pattern.": "Zeichnen Sie kleine Kreise, bis die Seite ein Muster hat.",
  "Cross off one thing on today's list that can wait.":
    "Streichen Sie etwas von der heutigen Liste, das warten kann.",
  "Rest your hands for a minute, with nothing to do.": "Lassen Sie Ihre Hände eine Minute ruhen, ohne etwas zu tun.",
  // surprise
  "New things keep us curious.": "Neues hält uns neugierig.",
  "Take a second look if you like. There is no hurry.": "Schauen Sie ruhig ein zweites Mal hin. Es eilt nicht.",
  "Every day has room for something new.": "Jeder Tag hat Platz für etwas Neues.",
  "It is fine not to have seen that coming.": "Es ist in Ordnung, das nicht kommen gesehen zu haben.",
  "Wonder is a good place to begin.": "Staunen ist ein guter Anfang.",
  "Questions are the start of finding out.": "Mit Fragen beginnt das Herausfinden.",
  "Nobody can know everything in advance.": "Niemand kann alles vorher wissen.",
  "Take all the time you want to take it in.": "Nehmen Sie sich alle Zeit, die Sie dafür wollen.",
  "Look up one thing that you have always wondered about.":
    "Schlagen Sie etwas nach, das Sie schon immer wissen wollten.",
  "Find something near you that you have never looked at closely.":
    "Finden Sie in Ihrer Nähe etwas, das Sie noch nie genau angesehen haben.",
  "Guess what time it is, then check a clock.": "Raten Sie, wie spät es ist, und sehen Sie dann auf eine Uhr.",
  "Open a book at any page and read one paragraph.": "Schlagen Sie ein Buch irgendwo auf und lesen Sie einen Absatz.",
  "Draw an animal that does not exist.": "Zeichnen Sie ein Tier, das es nicht gibt.",
  "Think of five uses for a paper clip.": "Denken Sie sich fünf Verwendungen für eine Büroklammer aus.",
  "Learn how to say hello in a language that is new to you.":
    "Lernen Sie „Hallo“ in einer Sprache, die für Sie neu ist.",
  "Write down three questions that you would like answered.":
    "Schreiben Sie drei Fragen auf, auf die Sie gern eine Antwort hätten.",
  // neutral
  "An open look leaves everything open.": "Ein offener Blick lässt alles offen.",
  "Ordinary moments make up most of a good day.":
    "Gewöhnliche Augenblicke machen den größten Teil eines guten Tages aus.",
  "Steady goes a long way.": "Stetig kommt man weit.",
  "There is nothing that you have to show.": "Es gibt nichts, was Sie zeigen müssten.",
  "This is a good moment to choose what comes next.": "Ein guter Augenblick, um zu wählen, was als Nächstes kommt.",
  "In the middle of something? Then simply carry on.": "Mitten in etwas? Dann einfach weiter so.",
  "Nothing special is sometimes just right.": "Nichts Besonderes ist manchmal genau richtig.",
  "Thank you for stopping by.": "Danke, dass Sie vorbeischauen.",
  "Take one task that needs two minutes, and give it two minutes.":
    "Nehmen Sie sich eine Aufgabe von zwei Minuten vor und geben Sie ihr zwei Minuten.",
  "Draw a letter of the alphabet in as many ways as you can think of.":
    "Zeichnen Sie einen Buchstaben auf so viele Arten, wie Ihnen einfallen.",
  "Look out of the nearest window for one thing that moves.":
    "Suchen Sie vor dem nächsten Fenster etwas, das sich bewegt.",
  "Put your plans for today into one sentence.": "Fassen Sie Ihre Pläne für heute in einen Satz.",
  "Sort ten old files or pictures into folders.": "Sortieren Sie zehn alte Dateien oder Bilder in Ordner.",
  "Learn the name of a plant or a bird that lives near you.":
    "Lernen Sie den Namen einer Pflanze oder eines Vogels aus Ihrer Nähe.",
  "Read a short poem twice, slowly.": "Lesen Sie ein kurzes Gedicht zweimal, langsam.",
  "Draw the view in front of you with only ten lines.": "Zeichnen Sie die Aussicht vor Ihnen mit nur zehn Linien.",
});
