// Runs before the first paint. A file of its own: no inline script is allowed.
// A chosen theme must not flash, and what this page and its language need is fetched while the start is on its way.
(function () {
  var chosen = {};
  try {
    chosen = JSON.parse(localStorage.getItem("podium.preferences") || "{}");
  } catch (error) {
    // Storage is switched off: the system's theme and the browser's language it is.
  }
  if (chosen.theme === "light" || chosen.theme === "dark") document.documentElement.dataset.theme = chosen.theme;

  var hints = JSON.parse(document.currentScript.dataset.hints || "null");
  if (!hints) return;
  var wishes = [chosen.language].concat(navigator.languages || [], "en");
  var language = wishes
    .map(function (wish) {
      return hints.languages[wish] || hints.languages[String(wish).split("-")[0]];
    })
    .find(Boolean);
  var files = (language || []).concat.apply(
    language || [],
    hints.pages
      .filter(function (page) {
        return new RegExp(page[0]).test(location.pathname);
      })
      .map(function (page) {
        return page[1];
      }),
  );
  new Set(files).forEach(function (file) {
    var link = document.createElement("link");
    link.rel = /\.css$/.test(file) ? "preload" : "modulepreload";
    if (link.rel === "preload") link.as = "style";
    link.href = file;
    document.head.append(link);
  });
})();
