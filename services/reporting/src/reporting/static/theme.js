// Before first paint: the chosen theme, so that the page does not flash.
try { const t = localStorage.getItem("theme"); if (t) document.documentElement.dataset.theme = t; } catch { /* private window */ }
document.documentElement.classList.add("js");
