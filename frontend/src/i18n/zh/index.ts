/** 简体中文 */
import type { Texts } from "../texts";
import annotate from "./annotate";
import common from "./common";
import entry from "./entry";
import frame from "./frame";
import preferences from "./preferences";
import projects from "./projects";
import work from "./work";

export default { common, frame, entry, projects, annotate, work, preferences } satisfies Texts;
