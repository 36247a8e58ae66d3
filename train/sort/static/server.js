// What the page asks of the process that sorts: one request at a time, in the order of the keys that were pressed.
let last = Promise.resolve();

export const load = async () => (await asked("api/page")).json();
export const label = (steps) => inTurn(() => post("api/label", JSON.stringify(steps)));
export const undo = () => inTurn(() => post("api/undo", ""));
export const capture = (jpeg, name, burst) => inTurn(() => post(`api/capture?${new URLSearchParams({ label: name, burst })}`, jpeg));

function inTurn(work) {
  const result = last.then(work);
  last = result.catch(() => {});
  return result;
}

// keepalive: what was sent is also done when the page is closed right after; browsers allow it for small bodies only.
const post = async (path, body) => (await asked(path, { method: "POST", body, keepalive: typeof body === "string" && body.length < 30000 })).json();

async function asked(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The sorting process does not answer; start it again and open the address that it prints. What was labelled before is in its folder.");
  }
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer;
}
