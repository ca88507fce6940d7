// Pages that bring themselves up to date: at once when the socket says that something has happened,
// and every few seconds in any case, so that they also work where there is no socket.
//
// <div id="…" data-live="TOPIC TOPIC" …> is replaced by what the server shows under the same id now.
//   data-live-target="ID ID"   what is replaced instead of the element itself
//   data-live-strategy="ID"    only messages about this strategy count
//   data-live-every="SECONDS"  how often it is renewed without a message
// <button data-live-mark …> says whether the page is live, and pauses it.
(() => {
    const GAP_MS = 1000;
    const EVERY_MS = 10000;
    const SILENCE_MS = 15000;
    const PAUSE_MIN_MS = 1000;
    const PAUSE_MAX_MS = 30000;

    let socket = null;
    let isLive = false;
    let isPaused = false;
    let isDirty = false;
    let isFetching = false;
    let fetchedAt = 0;
    let heardAt = 0;
    let pauseMs = PAUSE_MIN_MS;
    let timer = null;

    const regions = () => [...document.querySelectorAll("[data-live]")];
    const topicsOf = (region) => region.dataset.live.split(" ").filter(Boolean);
    const targetsOf = (region) => (region.dataset.liveTarget || region.id).split(" ");
    const mayRenew = () => !isPaused && document.visibilityState === "visible";

    const state = () => (isPaused ? "paused" : isLive ? "live" : "reconnecting");

    const paint = () => {
        document.querySelectorAll("[data-live-mark]").forEach((mark) => {
            mark.dataset.state = state();
            mark.setAttribute("aria-pressed", String(isPaused));
            mark.querySelector("[data-live-text]").textContent = mark.dataset[`${state()}Label`];
        });
    };

    // What a person is just using must not be pulled away from under their hands.
    const isInUse = (element) =>
        element.querySelector("input.action-select:checked") !== null ||
        (element.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) ||
        isMarked(element, window.getSelection()) ||
        menus().some((menu) => menu.checkVisibility());

    // The theme hangs the menus of rows below the body.
    const menus = () => [...document.querySelectorAll("body > nav")];

    const isMarked = (element, selection) => !selection.isCollapsed && selection.containsNode(element, true);

    const put = (id, fresh) => {
        const old = document.getElementById(id);
        const renewed = fresh.getElementById(id);
        if (!old || !renewed || isInUse(old) || old.isEqualNode(renewed)) {
            return;
        }
        old.replaceWith(document.adoptNode(renewed));
        window.htmx?.process(renewed);
        // Menus of rows hang below the body as soon as Alpine has seen the rows: their buttons, too.
        window.Alpine?.nextTick(() => menus().forEach((menu) => window.htmx?.process(menu)));
        const boxes = renewed.querySelectorAll("tr input.action-select");
        if (boxes.length && window.Actions) {
            window.Actions(boxes);
        }
    };

    const renew = async () => {
        if (isFetching || !mayRenew()) {
            isDirty = true;
            return;
        }
        isFetching = true;
        isDirty = false;
        fetchedAt = Date.now();
        try {
            const answer = await fetch(window.location.href, { headers: { "X-Requested-With": "live" } });
            if (answer.ok && !answer.redirected) {
                const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
                new Set(regions().flatMap(targetsOf)).forEach((id) => put(id, fresh));
                paint();
                document.dispatchEvent(new Event("arb:renewed"));
            }
        } catch {
            // the server is away; the next turn asks again
        } finally {
            isFetching = false;
        }
        if (isDirty) {
            soon();
        }
    };

    const soon = () => {
        if (timer === null) {
            const waitMs = Math.max(0, fetchedAt + GAP_MS - Date.now());
            timer = setTimeout(() => {
                timer = null;
                renew();
            }, waitMs);
        }
    };

    const concerns = (region, message) => {
        if (!topicsOf(region).includes(message.topic)) {
            return false;
        }
        const wanted = region.dataset.liveStrategy;
        const about = message.topic === "strategies" ? message.data.id : message.data.strategy_id;
        return !wanted || String(about) === wanted;
    };

    const setLive = (now) => {
        if (now && !isLive) {
            pauseMs = PAUSE_MIN_MS;
            soon(); // what happened in between
        }
        isLive = now;
        paint();
    };

    const hear = (event) => {
        heardAt = Date.now();
        const message = JSON.parse(event.data);
        if (message.topic === "heartbeat") {
            setLive(message.data.is_live);
        } else if (message.topic) {
            if (regions().some((region) => concerns(region, message))) {
                soon();
            }
        } else if (message.code === 0 && message.data.op === "login") {
            const topics = [...new Set(regions().flatMap(topicsOf))];
            if (topics.length) {
                socket.send(JSON.stringify({ op: "subscribe", topics }));
            }
        }
    };

    const connect = () => {
        const scheme = window.location.protocol === "https:" ? "wss" : "ws";
        socket = new WebSocket(`${scheme}://${window.location.host}/ws/`);
        socket.onmessage = hear;
        socket.onclose = () => {
            setLive(false);
            setTimeout(connect, pauseMs * (0.5 + Math.random()));
            pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS);
        };
    };

    const everySecond = () => {
        if (isLive && Date.now() - heardAt > SILENCE_MS) {
            socket.close();
            setLive(false);
        }
        const everyMs = Math.min(...regions().map((region) => Number(region.dataset.liveEvery) * 1000 || EVERY_MS));
        if (mayRenew() && Date.now() - fetchedAt >= everyMs) {
            renew();
        }
    };

    const toggle = () => {
        isPaused = !isPaused;
        paint();
        if (!isPaused) {
            soon();
        }
    };

    window.addEventListener("load", () => {
        if (!regions().length) {
            return;
        }
        fetchedAt = Date.now();
        document.addEventListener("click", (event) => event.target.closest("[data-live-mark]") && toggle());
        document.addEventListener("visibilitychange", () => isDirty && mayRenew() && soon());
        window.addEventListener("pagehide", () => {
            if (socket) {
                socket.onclose = null;
                socket.close();
            }
        });
        paint();
        connect();
        setInterval(everySecond, 1000);
    });
})();
