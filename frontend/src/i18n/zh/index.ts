/** 简体中文 */
import type { Texts } from "../texts";
import annotate from "./annotate";
import common from "./common";
import entry from "./entry";
import frame from "./frame";
import preferences from "./preferences";

export default { common, frame, entry, preferences, annotate } satisfies Texts;
