/** Before the tests: they read the English texts, as the pages do by default. */
import { speak } from ".";

await speak("en");
