// A service that is one of a cluster; ../README.md tells what it shows.
import http from 'node:http';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const TYPE = 'hello';
const TTL_MS = 10_000;
const CALL_TIMEOUT_MS = 5_000;
const clusterd = process.env.CLUSTERD_ADDRESS || '127.0.0.1:7700';
const serverId = process.env.SERVER_ID || randomUUID();

const { mimik } = grpc.loadPackageDefinition(protoLoader.loadSync(
  ['mimik/cluster/v1/registry_service.proto', 'mimik/cluster/v1/fan_out_service.proto'],
  {
    includeDirs: [fileURLToPath(new URL('../../../proto', import.meta.url))],
    enums: String,
    longs: Number,
    arrays: true,
  },
));
const { RegistryService, FanOutService } = mimik.cluster.v1;
const credentials = grpc.credentials.createInsecure();
const registry = new RegistryService(clusterd, credentials);
const fanOut = new FanOutService(clusterd, credentials);

// A unary call as a promise, with a deadline.
const call = (stub, method, request) => promisify(
  (callback) => stub[method](request, { deadline: Date.now() + CALL_TIMEOUT_MS }, callback),
)();

const between = (low, high) => low + Math.random() * (high - low);

// Keeps a server registered until close().
class Session {
  constructor(server) {
    this.server = server;
    this.sessionId = '';
    this.closing = new AbortController();
    this.done = this.run();
  }

  async run() {
    for (let wait = 500; !this.closing.signal.aborted; wait = Math.min(2 * wait, 15_000)) {
      try {
        await this.register();
        await this.keepAlive(() => { wait = 500; });
      } catch (error) {
        if (this.closing.signal.aborted) return;
        console.log(`clusterd: ${error.details ?? error.message}`);
        if (error.code === grpc.status.FAILED_PRECONDITION) { // SESSION_SUPERSEDED
          this.sessionId = '';
          return;
        }
        if (error.code === grpc.status.NOT_FOUND) this.sessionId = ''; // LEASE_EXPIRED
      }
      await sleep(between(wait / 2, wait), undefined, this.closing).catch(() => {});
    }
  }

  async register() {
    const { registration } = await call(registry, 'RegisterServer', {
      server: this.server,
      ttl: { seconds: TTL_MS / 1000 },
      sessionId: this.sessionId,
    });
    this.sessionId = registration.sessionId;
  }

  // Ends by an error, also when the session is over.
  keepAlive(onAlive) {
    return new Promise((resolve, reject) => {
      const stream = registry.KeepAlive();
      let timer;
      const pulse = () => {
        stream.write({ sessionId: this.sessionId });
        timer = setTimeout(pulse, (TTL_MS / 3) * between(0.9, 1.1));
      };
      const end = (error) => {
        clearTimeout(timer);
        stream.cancel();
        reject(error);
      };
      stream.on('data', ({ error }) => {
        if (!error) return onAlive();
        const superseded = error.reason === 'SESSION_SUPERSEDED';
        const code = superseded ? grpc.status.FAILED_PRECONDITION : grpc.status.NOT_FOUND;
        return end(Object.assign(new Error(error.message), { code }));
      });
      stream.on('error', end);
      stream.on('end', () => end(new Error('the stream ended')));
      this.closing.signal.addEventListener('abort', () => end(new Error('closing')));
      pulse();
    });
  }

  async close() {
    this.closing.abort();
    await this.done;
    if (!this.sessionId) return;
    const { type, serverId: id } = this.server;
    await call(registry, 'UnregisterServer', { type, serverId: id, sessionId: this.sessionId });
  }
}

async function everyone() {
  const answer = await call(fanOut, 'FanOut', {
    type: TYPE,
    http: { method: 'GET', path: '/hello' },
  });
  return {
    verdict: answer.verdict,
    data: JSON.parse(answer.dataJson),
    failed: answer.failures.map((failure) => failure.serverId),
  };
}

async function answer(path) {
  const server = { serverId };
  if (path === '/hello') return [200, { data: [`hello from ${serverId}`], server }];
  if (path !== '/everyone') return [404, { statusCode: 404, server }];
  try {
    return [200, await everyone()];
  } catch (error) {
    return [502, { statusCode: 502, message: error.details ?? error.message }];
  }
}

const service = http.createServer(async (request, response) => {
  const [status, body] = await answer(request.url);
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
});

service.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  const url = `http://127.0.0.1:${service.address().port}`;
  const session = new Session({ type: TYPE, serverId, clusterBaseUrl: url });
  console.log(`${serverId} serves at ${url}`);

  const stop = async () => {
    await session.close().catch((error) => console.log(`clusterd: ${error.message}`));
    service.close();
    service.closeAllConnections();
    registry.close();
    fanOut.close();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
});
