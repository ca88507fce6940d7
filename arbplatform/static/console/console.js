// Line charts of the overview: drawn once the page is there, and again after it replaced itself.
(() => {
    const drawn = new Map();

    const resolve = (colour) => {
        const name = /^var\((--[\w-]+)\)$/.exec(colour);
        return name ? getComputedStyle(document.documentElement).getPropertyValue(name[1]).trim() : colour;
    };

    const axis = (position, subtle, line) => ({
        position,
        border: { display: false },
        grid: { color: line, drawOnChartArea: position === "left" },
        ticks: { color: subtle, maxTicksLimit: 6 },
    });

    const draw = (canvas) => {
        const { labels, datasets } = JSON.parse(document.getElementById(canvas.dataset.lineChart).textContent);
        const subtle = resolve("var(--arb-subtle)");
        const line = resolve("var(--arb-line)");
        drawn.get(canvas.dataset.lineChart)?.destroy();
        const chart = new Chart(canvas.getContext("2d"), {
            type: "line",
            data: {
                labels,
                datasets: datasets.map((dataset) => ({
                    ...dataset,
                    data: dataset.data.map(Number),
                    borderColor: resolve(dataset.borderColor),
                    backgroundColor: resolve(dataset.borderColor),
                    borderWidth: 2,
                    pointRadius: 0,
                    pointHitRadius: 8,
                    tension: 0,
                })),
            },
            options: {
                animation: false,
                maintainAspectRatio: false,
                interaction: { mode: "index", intersect: false },
                plugins: { legend: { labels: { color: subtle, boxHeight: 2, boxWidth: 16 } } },
                scales: {
                    x: { grid: { display: false }, ticks: { color: subtle, maxRotation: 0, maxTicksLimit: 8 } },
                    y: axis("left", subtle, line),
                    y1: axis("right", subtle, line),
                },
            },
        });
        drawn.set(canvas.dataset.lineChart, chart);
    };

    const drawAll = () => document.querySelectorAll("canvas[data-line-chart]").forEach(draw);

    window.addEventListener("load", () => {
        drawAll();
        document.addEventListener("arb:renewed", drawAll);
        // the theme switch changes the class of the root element
        new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["class"] });
    });
})();

// A dialog whose server answers with an error, or not at all, would stay as it is and say nothing.
(() => {
    const complain = (event) => {
        const { target, requestConfig } = event.detail;
        if (target?.id === "modal-content") {
            window.location.assign(requestConfig.path); // the dialog as a page, or why there is none
        } else if (target?.closest("#dialog")) {
            target.querySelector("[data-unanswered]")?.removeAttribute("hidden");
        }
    };

    document.addEventListener("htmx:responseError", complain);
    document.addEventListener("htmx:sendError", complain);
})();
