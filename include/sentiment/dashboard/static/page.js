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
  // Outside Airflow nothing else keeps the language that an address asks for.
  const asked = new URLSearchParams(window.location.search).get("lang");
  if (!outside && asked) document.cookie = `sentiment_language=${encodeURIComponent(asked)}; path=/; SameSite=Lax`;
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
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const text = button.previousElementSibling.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // A page that is not served securely has no clipboard: the text is selected for the visitor to copy.
      window.getSelection().selectAllChildren(button.previousElementSibling);
    }
  });
  // An action is a run of a DAG, triggered with the visitor's own session, so that Airflow checks who may.
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-trigger]");
    if (!form) return;
    event.preventDefault();
    const { trigger, airflowRoot } = form.dataset;
    const conf = { ...JSON.parse(form.dataset.conf), ...Object.fromEntries(new FormData(form)) };
    const output = form.querySelector("output");
    const button = form.querySelector("button");
    button.disabled = true;
    const call = async (path, options) => {
      const answer = await fetch(`${airflowRoot}/api/v2/dags/${trigger}${path}`, options);
      const body = await answer.json().catch(() => ({}));
      if (!answer.ok) throw new Error(typeof body.detail === "string" ? body.detail : JSON.stringify(body.detail ?? answer.status));
      return body;
    };
    try {
      const run = await call("/dagRuns", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ logical_date: null, conf }),
      });
      const link = document.createElement("a");
      link.href = `${airflowRoot}/dags/${trigger}/runs/${encodeURIComponent(run.dag_run_id)}`;
      link.dataset.airflow = "";
      link.textContent = run.dag_run_id;
      const { is_paused: isPaused } = await call("");
      output.replaceChildren(`${form.dataset.started} `, link, isPaused ? ` ${form.dataset.paused}` : "");
    } catch (error) {
      output.textContent = `${form.dataset.refused} ${error.message}`;
      button.disabled = false;
    }
  });
  // What a mark of a chart stands for: of the one next to the pointer, and by the arrow keys where the chart has focus.
  for (const chart of document.querySelectorAll(".chart")) {
    const marksOfShown = () => {
      const drawing = [...chart.children].find((child) => child.offsetParent !== null);
      const of = (kind) => [...drawing.querySelectorAll(`[aria-roledescription=${kind}][aria-label]`)];
      return of("point").length ? of("point") : of("bar");
    };
    const about = chart.nextElementSibling;
    // Where a chart is wider than the screen, the newest nights are what to see first.
    chart.scrollLeft = chart.scrollWidth;
    let current = null;
    const show = (mark) => {
      current?.classList.remove("current");
      current = mark;
      current?.classList.add("current");
      about.textContent = current?.getAttribute("aria-label") ?? "";
    };
    const distance = (mark, event) => {
      const { left, right, top, bottom } = mark.getBoundingClientRect();
      return Math.hypot(2 * event.clientX - left - right, 2 * event.clientY - top - bottom);
    };
    chart.addEventListener("pointermove", (event) => {
      const marks = marksOfShown();
      const distances = marks.map((mark) => distance(mark, event));
      if (marks.length) show(marks[distances.indexOf(Math.min(...distances))]);
    });
    chart.addEventListener("pointerleave", () => show(null));
    chart.addEventListener("keydown", (event) => {
      const marks = marksOfShown();
      const index = marks.indexOf(current);
      const last = marks.length - 1;
      const next = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: last }[event.key];
      if (next === undefined || !marks.length) return;
      event.preventDefault();
      show(marks[Math.max(0, Math.min(last, next))]);
      current.scrollIntoView({ block: "nearest", inline: "nearest" });
    });
  }
})();
