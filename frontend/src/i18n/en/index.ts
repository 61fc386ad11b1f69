/** English: the source. Its keys are the keys of every language. */
import annotate from "./annotate";
import common from "./common";
import entry from "./entry";
import frame from "./frame";
import preferences from "./preferences";
import projects from "./projects";
import work from "./work";

export default { common, frame, entry, projects, annotate, work, preferences };
