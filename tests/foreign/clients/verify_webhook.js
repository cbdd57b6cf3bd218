// The verifiers of standardwebhooks and Svix read what we signed, and refuse what was changed.
import { readFileSync } from "node:fs";
import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";

const { secret, headers, body } = JSON.parse(readFileSync(0, "utf8"));
const verdict = (Kind, text) => {
  try {
    return new Kind(secret).verify(text, headers).type ?? "verified";
  } catch {
    return "refused";
  }
};
const seen = {};
for (const [name, Kind] of Object.entries({ standard: Standard, svix: Svix })) {
  seen[name] = [verdict(Kind, body), verdict(Kind, body.replace("{", "{ "))];
}
console.log(JSON.stringify(seen));
