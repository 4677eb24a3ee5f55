// A program that runs the vendor's client for node; `clients` starts it.
// Reads {url, api_key, calls: [{name, arguments}]} on standard input, writes what each call gave.
const { readFileSync } = require("node:fs");
const { Leap } = require("@leap-ai/workflows");

const RESOURCE = "workflowRuns";

async function carryOut(leap, { name, arguments: given }) {
  try {
    const answer = await leap[RESOURCE][name.split(".")[1]](given);
    return { name, status: answer.status, body: answer.data };
  } catch (refused) {
    return { name, status: refused.status ?? null, body: refused.responseBody ?? null };
  }
}

function callsItHas(leap) {
  const found = [];
  for (let level = Object.getPrototypeOf(leap[RESOURCE]); level !== Object.prototype; level = Object.getPrototypeOf(level)) {
    found.push(...Object.getOwnPropertyNames(level).filter((name) => name !== "constructor"));
  }
  return found.map((name) => `${RESOURCE}.${name}`);
}

async function main() {
  const job = JSON.parse(readFileSync(0, "utf-8"));
  const leap = new Leap({ apiKey: job.api_key, basePath: job.url });
  const answers = [];
  for (const call of job.calls) {
    answers.push(await carryOut(leap, call));
  }
  const resources = Object.keys(leap);
  process.stdout.write(JSON.stringify({ answers, calls_it_has: callsItHas(leap), resources }));
}

main();
