// @medplum/core: a token by client credentials, create, read, search, pages, conditions, a 404.
import { readFileSync } from "node:fs";
import { MedplumClient, OperationOutcomeError } from "@medplum/core";

const told = JSON.parse(readFileSync(0, "utf8"));
const root = told.base.replace(/fhir$/, "");
const client = new MedplumClient({
  baseUrl: root,
  fhirUrlPath: "fhir",
  tokenUrl: `${root}oauth/token`,
  cacheTime: 0,
  fetch,
});
client.setAccessToken(told.token);
const seen = {};

const made = [];
for (const body of told.referrals) made.push((await client.createResource(body)).id);
seen.made = new Set(made).size;
seen.read = (await client.readResource("ServiceRequest", made[0])).id === made[0];
const found = new Set();
for await (const page of client.searchResourcePages("ServiceRequest", { _count: "2" })) {
  for (const one of page) found.add(one.id);
}
seen.found = made.filter((id) => found.has(id)).length;
const { system, value } = told.referrals[0].identifier[0];
const again = await client.createResourceIfNoneExist(
  told.referrals[0],
  `identifier=${system}|${value}`,
);
seen.conditional = again.id === made[0];
seen.history = (await client.readHistory("ServiceRequest", made[0])).type;
try {
  await client.readResource("ServiceRequest", "nothing-here");
} catch (error) {
  seen.missing = error instanceof OperationOutcomeError && error.outcome.issue[0].code;
}
console.log(JSON.stringify(seen));
