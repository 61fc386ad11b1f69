// Runs before the first paint, so that a chosen theme does not flash. A file of its own: no inline script is allowed.
try {
  var theme = JSON.parse(localStorage.getItem("podium.preferences") || "{}").theme;
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch (error) {
  // Storage is switched off: the system's theme it is.
}
