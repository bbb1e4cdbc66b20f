// A service that knows nothing of clusters: it serves the application below
// SERVER_BASE_PATH and hands the two itResources requests on, as they came, to
// the clusterd that registered it (POST /control/clusterd {"url"}).
//   GET /control/state  requests received
'use strict';

const http = require('http');
const { Application } = require('./application');
const {
  readBody, readJson, answerJson, answerError, listen, announce,
} = require('./http_service');

const { env } = process;
const basePath = env.SERVER_BASE_PATH;
const application = new Application(env.SERVER_ID);
let nodeRoutes = null; // of clusterd, for this service

async function handOn(request, response, path) {
  const body = await readBody(request);
  const headers = { ...request.headers, 'content-length': body.length };
  delete headers['transfer-encoding'];
  const { method } = request;
  const passed = http.request(`${nodeRoutes}${path}`, { method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  passed.on('error', (error) => answerError(response, 502, error.message));
  passed.end(body);
}

async function handle(request, response, url) {
  const path = url.pathname.slice(basePath.length);
  if (url.pathname === '/control/clusterd') {
    nodeRoutes = (await readJson(request)).url;
    answerJson(response, 200, {});
  } else if (url.pathname === '/control/state') {
    answerJson(response, 200, { seen: application.seen });
  } else if (!url.pathname.startsWith(`${basePath}/`)) {
    answerError(response, 404, `nothing at ${url.pathname}`);
  } else if (path.startsWith('/itResources')) {
    await handOn(request, response, path);
  } else if (!request.headers.authorization) {
    answerError(response, 403, 'no token');
  } else {
    await application.handle(request, response, path, url);
  }
}

async function main() {
  const server = await listen(handle);
  const { port } = server.address();
  application.base = `http://127.0.0.1:${port}${basePath}`;
  announce({ port, clusterBaseUrl: application.base });
}

main();
