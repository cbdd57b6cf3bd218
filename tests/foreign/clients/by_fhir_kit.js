// fhir-kit-client: discovery, create, versions, pages, a conditional create, a stale version, a 404.
import { readFileSync } from "node:fs";
import { Client } from "fhir-kit-client";

const told = JSON.parse(readFileSync(0, "utf8"));
const client = new Client({ baseUrl: told.base });
const seen = {};
seen.token = (await client.smartAuthMetadata()).tokenUrl?.href ?? null;
client.bearerToken = told.token;

const made = [];
for (const body of told.referrals) {
  made.push((await client.create({ resourceType: "ServiceRequest", body })).id);
}
seen.made = new Set(made).size;
seen.read = (await client.read({ resourceType: "ServiceRequest", id: made[0] })).id === made[0];
const version = await client.vread({ resourceType: "ServiceRequest", id: made[0], version: "1" });
seen.version = version.meta.versionId;
seen.history = (await client.history({ resourceType: "ServiceRequest", id: made[0] })).type;

const found = new Set();
let page = await client.search({ resourceType: "ServiceRequest", searchParams: { _count: 2 } });
while (page) {
  for (const entry of page.entry ?? []) found.add(entry.resource.id);
  page = await client.nextPage({ bundle: page });
}
seen.found = made.filter((id) => found.has(id)).length;
const form = await client.search({
  resourceType: "ServiceRequest",
  searchParams: { "patient.identifier": `${told.cin_system}|${told.cins[0]}` },
  options: { postSearch: true },
});
seen.by_form = form.entry?.length;

const { system, value } = told.referrals[0].identifier[0];
const again = await client.create({
  resourceType: "ServiceRequest",
  body: told.referrals[0],
  options: { headers: { "If-None-Exist": `identifier=${system}|${value}` } },
});
seen.conditional = again.id === made[0];

const status = async (promise) => {
  try {
    await promise;
    return 200;
  } catch (error) {
    const outcome = error.response?.data?.resourceType;
    return outcome === "OperationOutcome" ? error.response.status : `without an outcome: ${error}`;
  }
};
seen.stale = await status(
  client.operation({
    name: "cancel",
    resourceType: "ServiceRequest",
    id: made[0],
    input: { resourceType: "Parameters" },
    options: { headers: { "If-Match": 'W/"999"' } },
  }),
);
seen.missing = await status(client.read({ resourceType: "ServiceRequest", id: "nothing-here" }));
console.log(JSON.stringify(seen));
