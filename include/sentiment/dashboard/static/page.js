// What only the browser knows: Airflow's theme and language, and that Airflow's own pages are outside the frame.
(() => {
  const outside = window.parent !== window ? window.parent : null;
  const theme = () => {
    const dark = outside
      ? outside.document.documentElement.classList.contains("dark")
      : window.matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.classList.toggle("dark", dark);
  };
  theme();
  if (outside) {
    new MutationObserver(theme).observe(outside.document.documentElement, { attributes: true, attributeFilter: ["class"] });
    const chosen = (window.localStorage.getItem("i18nextLng") || "").split("-")[0];
    const cookie = `sentiment_language=${chosen}`;
    if (chosen && !document.cookie.split("; ").includes(cookie)) {
      document.cookie = `${cookie}; path=/; SameSite=Lax`;
      if (["en", "fr"].includes(chosen) && document.documentElement.lang !== chosen) window.location.reload();
    }
  }
  // The frame may not navigate the page round it, so a link in that page is what is clicked.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-airflow]");
    if (!link || !outside) return;
    event.preventDefault();
    const twin = outside.document.createElement("a");
    twin.href = link.href;
    outside.document.body.append(twin);
    twin.click();
    twin.remove();
  });
})();
