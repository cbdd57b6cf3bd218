// The journey with openapi-generator's client for fetch.
import { readFileSync } from "node:fs";
import { AccessApi, Configuration, ProvidersApi, ReferralsApi, ServiceRequestFromJSON } from "./made";

const told = JSON.parse(readFileSync(0, "utf8"));
const basePath: string = told.base;

async function main(): Promise<void> {
  const token = await new AccessApi(new Configuration({ basePath })).requestToken({
    grantType: "client_credentials",
    clientId: told.client,
    clientSecret: told.secret,
  });
  // This generator sends the token of an OAuth scheme as it is given.
  const accessToken = async () => `Bearer ${token.accessToken}`;
  const settings = new Configuration({ basePath, accessToken });
  const referrals = new ReferralsApi(settings);
  const made = await referrals.createReferral({
    serviceRequest: ServiceRequestFromJSON(told.referral),
  });
  const read = await referrals.readServiceRequest({ id: made.id! });
  const focus = `ServiceRequest/${made.id}`;
  const found = await new ProvidersApi(settings).searchTask({ focus: [focus], count: 5 });
  const task = found.entry![0].resource as { focus?: { reference?: string } };
  console.log(
    JSON.stringify({
      read: read.id === made.id,
      contained: read.contained!.map((one) => one.resourceType),
      task: task.focus?.reference === focus,
    }),
  );
}

void main();
