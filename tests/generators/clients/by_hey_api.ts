// The journey with the client of @hey-api/openapi-ts.
import { readFileSync } from "node:fs";
import { createReferral, readServiceRequest, requestToken, searchTask } from "./made";
import { client } from "./made/client.gen";

const told = JSON.parse(readFileSync(0, "utf8"));

async function main(): Promise<void> {
  client.setConfig({ baseUrl: told.base });
  const token = await requestToken({
    body: {
      grant_type: "client_credentials",
      client_id: told.client,
      client_secret: told.secret,
    },
  });
  client.setConfig({ baseUrl: told.base, auth: token.data!.access_token });
  const made = await createReferral({ body: told.referral });
  const id = made.data!.id!;
  const read = await readServiceRequest({ path: { id } });
  const focus = `ServiceRequest/${id}`;
  const found = await searchTask({ query: { focus: [focus], _count: 5 } });
  const task = found.data!.entry![0].resource as { focus?: { reference?: string } };
  console.log(
    JSON.stringify({
      read: read.data!.id === id,
      contained: read.data!.contained!.map((one) => one.resourceType),
      task: task.focus?.reference === focus,
    }),
  );
}

void main();
