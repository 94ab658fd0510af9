// A real OpenID provider (oidc-provider) on loopback for the tests. It signs everybody in whom it is
// told to, and asks nothing. Run by tests/it/people/provider.rs.
//
// Prints `listening PORT`, then obeys lines on its standard input and answers each with `done`:
//   redirect URL     sends browsers back to this address
//   person JSON      signs this one in from now on, with these claims; null: access is denied
//   sign ALG         signs ID tokens so: RS256, ES256, EdDSA
//   rotate           has other keys from now on, and the old ones no more

import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import Provider from "oidc-provider";

const CLIENT = "kattila";
const SECRET = "s3cret: +/%=&?";

let redirect = "http://127.0.0.1/never";
let alg = "RS256";
let person = null;
let answer = (request, response) => response.end();

const server = createServer((request, response) => answer(request, response));

function keys() {
  const pairs = [
    ["RS256", generateKeyPairSync("rsa", { modulusLength: 2048 })],
    ["ES256", generateKeyPairSync("ec", { namedCurve: "P-256" })],
    ["EdDSA", generateKeyPairSync("ed25519")],
  ];
  return pairs.map(([name, { privateKey }]) => ({ ...privateKey.export({ format: "jwk" }), alg: name, use: "sig", kid: randomUUID() }));
}

let jwks = { keys: keys() };

function make() {
  const provider = new Provider(`http://127.0.0.1:${server.address().port}`, {
    jwks,
    clients: [{ client_id: CLIENT, client_secret: SECRET, redirect_uris: [redirect], id_token_signed_response_alg: alg }],
    claims: { openid: ["sub"], profile: ["preferred_username"], groups: ["groups"], email: ["email"] },
    scopes: ["openid", "groups"],
    enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256", "EdDSA"] },
    cookies: { keys: [randomUUID()] },
    features: { devInteractions: { enabled: false } },
    pkce: { required: () => true },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, ...person }) }),
    // Nobody is asked whether this manager may know who they are.
    async loadExistingGrant(context) {
      const grant = new context.oidc.provider.Grant({ clientId: CLIENT, accountId: context.oidc.session.accountId });
      grant.addOIDCScope("openid profile email groups");
      await grant.save();
      return grant;
    },
  });
  provider.on("server_error", (_context, error) => console.error(error));
  const callback = provider.callback();
  answer = (request, response) => {
    if (!request.url.startsWith("/interaction/")) return callback(request, response);
    const result = person ? { login: { accountId: person.sub, remember: false } } : { error: "access_denied", error_description: "not today" };
    provider.interactionFinished(request, response, result).catch((error) => {
      console.error(error);
      response.writeHead(500).end();
    });
  };
}

const obey = {
  redirect: (url) => (redirect = url),
  person: (json) => (person = JSON.parse(json)),
  sign: (name) => (alg = name),
  rotate: () => (jwks = { keys: keys() }),
};

server.listen(0, "127.0.0.1", () => {
  make();
  console.log(`listening ${server.address().port}`);
  createInterface({ input: process.stdin }).on("line", (line) => {
    const [verb, ...rest] = line.split(" ");
    obey[verb](rest.join(" "));
    make();
    console.log("done");
  }).on("close", () => process.exit(0));
});
