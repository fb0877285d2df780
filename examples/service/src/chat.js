// Shows the model's response while it comes. Without scripts the browser shows the event stream.
for (const form of document.querySelectorAll("form.chat")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const shown = form.nextElementSibling;
    shown.textContent = "";
    const response = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    if (!response.ok) {
      shown.textContent = "The message was not sent. Load this page again.";
      return;
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const lines = (rest + part.value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (!line.startsWith("data:") || line.includes("[DONE]")) continue;
        shown.textContent += JSON.parse(line.slice(5)).choices?.[0]?.delta?.content ?? "";
      }
    }
  });
}
