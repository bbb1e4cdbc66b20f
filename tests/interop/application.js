// What a service of these tests does besides being in a cluster: routes that
// answer, and routes that misbehave on one server only, so that one fan-out meets
// good and bad servers.
//   /echo                    says who was asked what
//   /list                    the same as an array of two
//   /fault/{serverId}/{name} that server misbehaves as `faults` below has it, the
//                            others answer as /echo does
'use strict';

const { readBody, answerJson, answerError } = require('./http_service');

const FAULT = /^\/fault\/([^/]+)\/([^/]+)$/;

const faults = {
  hang: () => {},
  reset: ({ request }) => request.socket.destroy(),
  'no-server': ({ response, echo }) => answerJson(response, 200, { data: echo }),
  'wrong-id': ({ response, echo }) => answerJson(
    response, 200, { data: echo, server: { serverId: 'somebody-else' } }),
  'no-data': ({ response, server }) => answerJson(response, 200, { server }),
  'null-data': ({ response, server }) => answerJson(
    response, 200, { data: null, server }),
  text: ({ response }) => {
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.end('just text');
  },
  'bad-json': ({ response }) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end('{"data":[');
  },
  empty: ({ response }) => {
    response.writeHead(204);
    response.end();
  },
  redirect: ({ response, base }) => {
    response.writeHead(307, { location: `${base}/echo` });
    response.end();
  },
};

class Application {
  constructor(serverId) {
    this.serverId = serverId;
    this.base = ''; // set once the port is known
    this.seen = {}; // `METHOD path` -> requests received
  }

  async handle(request, response, path, url) {
    const call = `${request.method} ${path}`;
    this.seen[call] = (this.seen[call] ?? 0) + 1;

    const server = { serverId: this.serverId };
    const echo = {
      from: this.serverId,
      method: request.method,
      path,
      query: url.search,
      note: request.headers['x-note'] ?? '',
      body: (await readBody(request)).toString(),
    };
    const [, faulty, fault] = FAULT.exec(path) ?? [];
    if (faulty === this.serverId) {
      this.misbehave(fault, { request, response, server, echo, base: this.base });
    } else if (path === '/echo' || fault) {
      answerJson(response, 200, { data: echo, server });
    } else if (path === '/list') {
      answerJson(response, 200, { data: [echo, this.serverId], server });
    } else {
      answerError(response, 404, `no route ${path}`);
    }
  }

  misbehave(fault, context) {
    if (faults[fault]) faults[fault](context);
    else answerError(context.response, Number(fault), 'as it was asked to');
  }
}

module.exports = { Application };
