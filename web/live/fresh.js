/**
 * The one rule for all that the view says of a face: what an engine answered is true for so long, in seconds. After that
 * nobody knows what the face looks like, and nothing of the answer is shown. It is counted from the answer, and for
 * boxes from the frame, since a box that comes late lies beside the face.
 */
export const FRESH_S = 1;
