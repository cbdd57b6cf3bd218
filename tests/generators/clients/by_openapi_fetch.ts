// The journey with openapi-typescript's types and openapi-fetch.
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { paths } from "./made";

const told = JSON.parse(readFileSync(0, "utf8"));
const client = createClient<paths>({ baseUrl: told.base });

async function main(): Promise<void> {
  const token = await client.POST("/oauth/token", {
    body: {
      grant_type: "client_credentials",
      client_id: told.client,
      client_secret: told.secret,
    },
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    bodySerializer: (body) => new URLSearchParams(body as Record<string, string>),
  });
  const headers = { Authorization: `Bearer ${token.data!.access_token}` };
  const made = await client.POST("/fhir/ServiceRequest", { body: told.referral, headers });
  const id = made.data!.id!;
  const read = await client.GET("/fhir/ServiceRequest/{id}", { params: { path: { id } }, headers });
  const focus = `ServiceRequest/${id}`;
  const found = await client.GET("/fhir/Task", {
    params: { query: { focus: [focus], _count: 5 } },
    headers,
  });
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
