// A stand-in for the authority (mIT) and the token service (mST), for as much as
// was seen of them. Each has a port of its own, and a third one takes orders from
// the test:
//   POST /control/settings  any of the members of `settings`
//   POST /control/faults    {"mit": {…} | null, "mst": {…} | null}: see Faults
//   POST /control/clients   {"<client id>": {"secret", "type"}}, added
//   GET  /control/state     {"clusters", "requests", "mitUrl", "issuer"}
'use strict';

const { Authority } = require('./authority');
const { Faults } = require('./faults');
const { TokenService } = require('./token_service');
const {
  readBody, readJson, answerJson, answerError, listen, announce,
} = require('./http_service');

const settings = {
  leaseTime: 2000, // ms; null: none is named
  touch: false, // a renewal that changes nothing gets a new date all the same
  members: {}, // that every record gets besides those that are known
  wrapped: false, // answers come in `data`
  simultaneous: 1, // registrations that are answered together, each seeing itself
  tokenLife: 3600, // s
  audiences: {}, // audience -> the key that its tokens are signed with
  mitAudience: 'mIT',
};
const requests = []; // what came, without what is secret
const faults = { mit: new Faults(), mst: new Faults() };

// Serves `answer(request, body)` -> [status, JSON] and keeps a record of what was
// asked.
async function serve(service, answer) {
  const server = await listen(async (request, response, url) => {
    const body = (await readBody(request)).toString();
    const [status, json] = await faults[service].meet(request.method)
      ?? await answer(request, url, body);
    requests.push({
      service,
      method: request.method,
      path: decodeURIComponent(url.pathname) + url.search,
      status,
      agent: request.headers['user-agent'] ?? '',
      correlationId: request.headers['x-correlation-id'] ?? '',
      ...service === 'mst' && { grant: grantOf(body) },
    });
    if (status >= 400) answerError(response, status, `the stand-in says ${status}`);
    else answerJson(response, status, json);
  });
  // As if nobody was there, without letting go of the port.
  server.on('connection', (socket) => faults[service].watch(socket));
  return server.address().port;
}

function grantOf(body) {
  try {
    const {
      grant_type: grant, audience, type, customer_name: customer,
    } = JSON.parse(body);
    return {
      grant, audience, type, customer,
    };
  } catch {
    return {};
  }
}

async function main() {
  const tokens = new TokenService(settings);
  const authority = new Authority(settings, (header) => tokens.isForMit(header));
  const mit = await serve('mit', (...asked) => authority.answer(...asked));
  const mst = await serve('mst', (...asked) => tokens.answer(...asked));
  const mitUrl = `http://127.0.0.1:${mit}/mIT/v1`;
  tokens.issuer = `http://127.0.0.1:${mst}/mST/v1/oauth/token`;

  const control = await listen(async (request, response, url) => {
    const order = await readJson(request);
    switch (url.pathname) {
      case '/control/settings':
        Object.assign(settings, order);
        authority.releaseHeld();
        break;
      case '/control/faults':
        Object.entries(order).forEach(([service, fault]) => faults[service].set(fault));
        break;
      case '/control/clients':
        Object.assign(tokens.clients, order);
        break;
      case '/control/state':
        answerJson(response, 200, {
          clusters: authority.clusters(), requests, mitUrl, issuer: tokens.issuer,
        });
        return;
      default:
        answerError(response, 404, `no route ${url.pathname}`);
        return;
    }
    answerJson(response, 200, {});
  });
  announce({ port: control.address().port, mitUrl, issuer: tokens.issuer });
}

main();
