/**
 * The one rule for all that the view says of a face: what an engine answered is true for so long, in seconds. After that
 * nobody knows what the face looks like, and nothing of the answer is shown.
 */
export const FRESH_S = 1;
