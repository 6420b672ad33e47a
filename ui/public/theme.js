// Runs before the first paint, so that a chosen theme never flashes in the other one. (The policy forbids inline scripts.)
(function () {
  try {
    var theme = localStorage.getItem("lathe.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch (_) {
    // Storage may be forbidden; the system's theme is used then.
  }
})();
