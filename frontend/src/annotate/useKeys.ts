/** Listens for keys on the whole page, except while somebody types or a dialog is open. */
import { useEffect, useEffectEvent } from "react";
import { isTyping, keyName, type KeyMap, plainKey } from "./keys";

interface Listening {
  keys: KeyMap;
  /** Off: no letter or digit is heard but the one that lists the keys. */
  on: boolean;
  /** Asked first, whatever is switched off. True when the key meant something. */
  first: (event: KeyboardEvent) => boolean;
  press: (key: string, event: KeyboardEvent) => boolean;
}

export function useKeys({ keys, on, first, press }: Listening): void {
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if (event.defaultPrevented || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (first(event)) {
      event.preventDefault();
      return;
    }
    // Scrolling may repeat while the key is held; a judgment never does.
    const scrolls = event.repeat && !event.ctrlKey && !event.metaKey && !event.altKey && [keys.down, keys.up].includes(keyName(event.key));
    const key = scrolls ? keyName(event.key) : plainKey(event);
    if (key === null || (!on && key !== keys.help && key !== "Enter")) return;
    if (press(key, event)) event.preventDefault();
  });
  useEffect(() => {
    const listener = (event: KeyboardEvent) => onKey(event);
    window.addEventListener("keydown", listener);
    return () => window.removeEventListener("keydown", listener);
  }, []);
}
