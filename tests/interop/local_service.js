// A service without any cluster code: it asks for no token and names no server.
// It is where clusterd is told by its local_base_url. Its answers are those of
// application.js without the envelope.
//   GET /control/state  requests received
'use strict';

const { once } = require('node:events');

const {
  readBody, answerJson, answerError, listen, announce,
} = require('./http_service');

const serverId = process.env.SERVER_ID;
const base = '/own/base';
const seen = {}; // `METHOD path` -> requests received
const FAULT = /^\/fault\/([^/]+)\/([^/]+)$/;

const bodies = {
  text: ['text/plain', 'just text'],
  'bad-json': ['application/json', '{"data":['],
  bytes: ['image/png', Buffer.from([0x89, 0xff])],
};

// 100 MiB, as fast as they are read.
async function answerMuch(response) {
  response.writeHead(200, { 'content-type': 'image/png' });
  const piece = Buffer.alloc(1 << 20, 'x');
  for (let i = 0; i < 100; i += 1) {
    // eslint-disable-next-line no-await-in-loop
    if (!response.write(piece)) await once(response, 'drain');
  }
  response.end();
}

// Counts a body of any size.
async function answerSize(request, response) {
  let size = 0;
  // eslint-disable-next-line no-restricted-syntax
  for await (const piece of request) size += piece.length;
  answerJson(response, 200, size);
}

async function answerOddly(response, name) {
  if (name === 'much') {
    await answerMuch(response);
  } else if (name === 'empty') {
    response.writeHead(204).end();
  } else if (bodies[name]) {
    const [type, body] = bodies[name];
    response.writeHead(200, { 'content-type': type }).end(body);
  } else {
    answerError(response, Number(name), 'as it was asked to');
  }
}

async function handle(request, response, url) {
  if (url.pathname === '/control/state') {
    answerJson(response, 200, { seen });
    return;
  }
  const path = url.pathname.slice(base.length);
  const call = `${request.method} ${path}`;
  seen[call] = (seen[call] ?? 0) + 1;
  if (path === '/size') {
    await answerSize(request, response);
    return;
  }
  const echo = {
    from: serverId,
    method: request.method,
    path,
    query: url.search,
    note: request.headers['x-note'] ?? '',
    body: (await readBody(request)).toString(),
  };
  const [, odd, name] = FAULT.exec(path) ?? [];
  if (odd === serverId) await answerOddly(response, name);
  else if (path === '/echo' || name) answerJson(response, 200, echo);
  else if (path === '/list') answerJson(response, 200, [echo, serverId]);
  else answerError(response, 404, `no route ${path}`);
}

async function main() {
  const { port } = (await listen(handle)).address();
  announce({ port, localBaseUrl: `http://127.0.0.1:${port}${base}` });
}

main();
