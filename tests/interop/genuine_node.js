// A service in a cluster of the genuine package. Its settings are the
// environment's, under the package's own names; SERVER_BASE_PATH is where its
// cluster routes and the application live. Below /control the test
// tells it what to do:
//   POST /control/register, /control/unregister
//   POST /control/fan_out  the options of rpCluster; answers with the aggregate
//   GET  /control/state    registration, membership, requests received
'use strict';

const buildCluster = require('@mimik/cluster');
const buildOauth = require('@mimik/oauth-helper');
const { securityOf } = require('./account');
const { Application } = require('./application');
const {
  readJson, answerJson, answerError, listen, announce,
} = require('./http_service');

const { env } = process;
const type = env.SERVER_TYPE;
const basePath = env.SERVER_BASE_PATH;

function configOf(port) {
  return {
    serverSettings: {
      type,
      id: env.SERVER_ID,
      basePath,
      port,
      ip: { local: '127.0.0.1', public: '127.0.0.1' },
      public: {
        protocol: env.SERVER_PUBLIC_PROTOCOL,
        domainName: env.SERVER_PUBLIC_DOMAIN_NAME,
        location: { rack: env.SERVER_ID },
      },
    },
    cluster: {
      management: env.CLUSTER_MANAGEMENT,
      timeout: Number(env.REQUEST_TIMEOUT),
    },
    registration: { retry: Number(env.REGISTRATION_RETRY) },
    dependencies: {
      mIT: { url: env.MIT_URL, audience: env.MIT_AUDIENCE },
      [type]: { audience: env.OAUTH_GENERIC_AUDIENCE },
    },
    security: securityOf(env),
  };
}

// As the package's handlers want requests: with what a router would have found.
function withParameters(request, operationId, values) {
  const params = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, { value }]));
  request.swagger = { params, operation: { operationId } };
  return request;
}

class Node {
  constructor(port) {
    const config = configOf(port);
    this.settings = config.serverSettings;
    this.cluster = buildCluster(config);
    this.oauth = buildOauth(config);
    this.application = new Application(env.SERVER_ID);
    this.application.base = `http://127.0.0.1:${port}${basePath}`;
  }

  async handle(request, response, url) {
    if (url.pathname.startsWith('/control/')) {
      await this.obey(request, response, url.pathname);
    } else if (url.pathname.startsWith(`${basePath}/`)) {
      const path = url.pathname.slice(basePath.length);
      await this.authorized(request, response, () => this.serve(
        request, response, path, url));
    } else {
      answerError(response, 404, `nothing at ${url.pathname}`);
    }
  }

  async serve(request, response, path, url) {
    const removal = /^\/itResources\/([^/]+)\/servers\/([^/]+)$/.exec(path);
    if (request.method === 'POST' && path === '/itResources') {
      const newItResource = await readJson(request);
      this.cluster.createItResource(
        withParameters(request, 'createItResource', { newItResource }), response);
    } else if (request.method === 'DELETE' && removal) {
      const [id, serverId] = removal.slice(1).map(decodeURIComponent);
      this.cluster.deleteServer(
        withParameters(request, 'deleteServer', { id, serverId }), response);
    } else {
      await this.application.handle(request, response, path, url);
    }
  }

  // The package's own check of the token; what fails it is a 403.
  async authorized(request, response, next) {
    const error = await new Promise((resolve) => {
      this.oauth.apiTokenSecurityHelper(
        request, { flow: 'application' }, [], resolve);
    });
    if (error) answerError(response, 403, error.message);
    else await next();
  }

  async obey(request, response, path) {
    const correlationId = request.headers['x-correlation-id'];
    switch (path) {
      case '/control/register':
        delete this.settings.registrationStatus; // of a life before this one
        this.cluster.register(correlationId);
        answerJson(response, 200, {});
        break;
      case '/control/unregister': {
        const { errors = [], ...left } = await this.cluster.unRegister(correlationId);
        answerJson(response, 200, { ...left, errors: errors.map(String) });
        break;
      }
      case '/control/fan_out':
        await this.fanOut(await readJson(request), response);
        break;
      case '/control/state':
        answerJson(response, 200, await this.state());
        break;
      default:
        answerError(response, 404, `no route ${path}`);
    }
  }

  async fanOut(options, response) {
    try {
      const { data, results, failures } = await this.cluster.rpCluster(options);
      answerJson(response, 200, {
        data,
        results: results.map(({ result, server }) => (
          { serverId: server.serverId, result })),
        failures: failures.map(({ error, server }) => (
          { serverId: server.serverId, statusCode: error.statusCode })),
      });
    } catch (error) {
      answerError(response, 500, error.message);
    }
  }

  async state() {
    return {
      registration: this.settings.registrationStatus ?? null,
      published: Object.fromEntries(Object.entries(env).filter(
        ([name]) => /^(REGISTRATION|CLUSTER)_STATUS/.test(name))),
      itResource: this.settings.clusterStatus ? await this.itResource() : null,
      seen: this.application.seen,
    };
  }

  // The package keeps its membership to itself, but answers a join with it; a
  // join of another cluster changes nothing.
  itResource() {
    const request = withParameters({
      method: 'POST', url: '/', headers: {}, socket: {}, cluster: true, tokenType: type,
    }, 'state', { newItResource: { id: 'none of this', servers: [] } });
    return new Promise((resolve) => {
      this.cluster.createItResource(request, {
        setHeader() {},
        end(text) { resolve(JSON.parse(text).data); },
      });
    });
  }
}

async function main() {
  let node;
  const server = await listen((...exchange) => node.handle(...exchange));
  const { port } = server.address();
  node = new Node(port);
  announce({ port, clusterBaseUrl: node.application.base });
}

main();
