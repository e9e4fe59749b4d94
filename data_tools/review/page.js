// Runs once, inside Gradio's HTML component, whose content is changed from page to page.
async function choose(face, decision, label) {
  const answer = await server.decide_one({ image_sha256: face.dataset.sha256, decision, label });
  const message = face.querySelector(".told");
  if (!answer || answer.problem) {
    face.dataset.decision = "problem";
    message.textContent = "not saved: " + (answer ? answer.problem : "does the program still run?");
    return;
  }
  face.dataset.decision = decision;
  message.textContent = answer.told;
  element.querySelector(".done").textContent = answer.done;
  element.querySelector("progress").value = answer.done;
}

function step(face, forward) {
  const other = forward ? face.nextElementSibling : face.previousElementSibling;
  (other ?? document.getElementById(forward ? "next-page" : "previous-page")).focus();
}

function chooseByKey(face, key) {
  const numbered = face.querySelectorAll("select option[value]:not([value=''])")[Number(key) - 1];
  const suggested = face.querySelector("button[data-choice=relabel]");
  if (key === "k" && face.querySelector("button[data-choice=keep]")) choose(face, "keep", null);
  else if (key === "x") choose(face, "reject", null);
  else if (key === "s" && suggested) choose(face, "relabel", suggested.dataset.label);
  else if (numbered) choose(face, "relabel", numbered.value);
  else return false;
  return true;
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-choice]");
  if (button) choose(button.closest(".face"), button.dataset.choice, button.dataset.label ?? null);
});

element.addEventListener("change", (event) => {
  if (event.target.value) choose(event.target.closest(".face"), "relabel", event.target.value);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, input, textarea")) return;
  const key = event.key.toLowerCase();
  if (key === "n" || key === "p") {
    document.getElementById(key === "n" ? "next-page" : "previous-page").click();
    return;
  }
  const face = event.target.closest(".face");
  if (!face) return;
  if (key === "arrowright" || key === "arrowleft") step(face, key === "arrowright");
  else if (chooseByKey(face, key)) step(face, true);
  else return;
  event.preventDefault();
});

watch("value", () => {
  // Gradio changes only what differs between two pages, and so leaves what was picked in a list before.
  for (const list of element.querySelectorAll("select")) list.value = "";
  (element.querySelector(".face") ?? document.getElementById("next-page")).focus();
  window.scrollTo(0, 0);
});
