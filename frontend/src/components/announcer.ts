/** Says something to screen readers without moving the focus. The region itself is in the page's frame. */

export const ANNOUNCER_ID = "announcer";

let flip = false;

export function announce(text: string): void {
  const region = document.getElementById(ANNOUNCER_ID);
  if (!region) return;
  // The same sentence twice would be no change, and so not be read.
  flip = !flip;
  region.textContent = flip ? text : `${text}\u00a0`;
}
