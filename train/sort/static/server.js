// Requests to the sorting process: one at a time, in the order in which the keys were pressed.
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

// keepalive: a request is completed even if the page is closed right after it; browsers allow this for small bodies only.
const post = async (path, body) => (await asked(path, { method: "POST", body, keepalive: typeof body === "string" && body.length < 30000 })).json();

async function asked(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The sorting process does not answer; start it again and open the address that it prints. Frames labelled before are in their folders.");
  }
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer;
}
