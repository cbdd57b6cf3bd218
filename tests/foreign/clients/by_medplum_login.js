// @medplum/core: its own logins, by a secret and by an assertion of ours; each refers and reads.
import { createPrivateKey, randomUUID, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { MedplumClient } from "@medplum/core";

const told = JSON.parse(readFileSync(0, "utf8"));
const root = told.base.replace(/fhir$/, "");
const seen = { made: 0, read: true };
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

function assertion() {
  const { kid, file } = told.keys.ES384;
  const exp = Math.floor(Date.now() / 1000) + 240;
  const [iss, aud] = [told.client, `${root}oauth/token`];
  const claims = { iss, sub: iss, aud, exp, jti: randomUUID() };
  const text = `${part({ alg: "ES384", typ: "JWT", kid })}.${part(claims)}`;
  const key = { key: createPrivateKey(readFileSync(file)), dsaEncoding: "ieee-p1363" };
  return `${text}.${sign("sha384", Buffer.from(text), key).toString("base64url")}`;
}

const logins = {
  secret: (client) => client.startClientLogin(told.client, told.secret),
  key: (client) => client.startJwtAssertionLogin(assertion()),
};
for (const [number, [name, login]] of Object.entries(logins).entries()) {
  const client = new MedplumClient({
    baseUrl: root,
    fhirUrlPath: "fhir",
    tokenUrl: `${root}oauth/token`,
    cacheTime: 0,
    fetch,
  });
  try {
    await login(client);
  } catch (error) {
    seen.failed = `${name}: ${error.message}`;
    if (!client.getAccessToken()) continue;
  }
  const mine = told.referrals.filter((_, place) => place % 2 === number);
  for (const body of mine) {
    const { id } = await client.createResource(body);
    seen.made += 1;
    seen.read &&= (await client.readResource("ServiceRequest", id)).id === id;
  }
}
console.log(JSON.stringify(seen));
