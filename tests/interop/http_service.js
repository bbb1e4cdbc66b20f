// What the processes of these tests have in common: JSON over plain HTTP on a
// free port of 127.0.0.1, told to the parent as one JSON line on standard output;
// they live no longer than whoever holds their standard input.
'use strict';

const http = require('http');

async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

// The body as JSON; undefined when there is none or it is something else.
async function readJson(request) {
  try {
    return JSON.parse((await readBody(request)).toString());
  } catch {
    return undefined;
  }
}

function answerJson(response, status, body, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

function answerError(response, status, message, headers = {}) {
  const title = http.STATUS_CODES[status] ?? 'Unknown';
  answerJson(response, status, { statusCode: status, title, message }, headers);
}

// `handle(request, response, url)` may be asynchronous; what it throws is a 500.
function listen(handle) {
  const server = http.createServer(async (request, response) => {
    try {
      await handle(request, response, new URL(request.url, 'http://server'));
    } catch (error) {
      if (!response.headersSent) answerError(response, 500, error.message);
    }
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

function announce(facts) {
  process.stdin.on('end', () => process.exit(0)).resume();
  console.log(JSON.stringify(facts));
}

module.exports = {
  readBody, readJson, answerJson, answerError, listen, announce,
};
