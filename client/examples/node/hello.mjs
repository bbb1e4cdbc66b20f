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
const CONNECT_TIMEOUT_MS = 2_000;
const SHORTEST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
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

// One connection, and a new one whenever nobody answers on it: grpc-js alone
// would wait for a silent address for as long as the system does, two minutes.
class Connection {
  constructor(address) {
    this.address = address;
    this.renew();
  }

  renew() {
    this.close();
    const credentials = grpc.credentials.createInsecure();
    const channelOverride = new grpc.Channel(
      this.address, credentials, { 'grpc.use_local_subchannel_pool': 1 });
    this.registry = new RegistryService(this.address, credentials, { channelOverride });
    this.fanOut = new FanOutService(this.address, credentials, { channelOverride });
  }

  // Fails where clusterd has not answered within 2 s.
  ready() {
    return promisify((callback) => this.registry.waitForReady(
      Date.now() + CONNECT_TIMEOUT_MS, callback))();
  }

  close() {
    this.registry?.close();
  }
}

// A unary call as a promise, with a deadline.
const call = (stub, method, request) => promisify(
  (callback) => stub[method](request, { deadline: Date.now() + CALL_TIMEOUT_MS }, callback),
)();

const clusterd = new Connection(process.env.CLUSTERD_ADDRESS || '127.0.0.1:7700');

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
    let wait = SHORTEST_WAIT_MS;
    let atOnce = true;
    while (!this.closing.signal.aborted) {
      try {
        await clusterd.ready();
        await this.register();
        await this.keepAlive(() => { wait = SHORTEST_WAIT_MS; atOnce = true; });
      } catch (error) {
        if (this.closing.signal.aborted) return;
        console.log(`clusterd: ${error.details ?? error.message}`);
        if (error.code === grpc.status.FAILED_PRECONDITION) { // SESSION_SUPERSEDED
          this.sessionId = '';
          return; // registering again would start a fight
        }
        if (error.code === grpc.status.NOT_FOUND) { // LEASE_EXPIRED
          this.sessionId = '';
          if (atOnce) { // clusterd has just answered
            wait = SHORTEST_WAIT_MS;
            atOnce = false;
            await this.pause(between(0, 250));
            continue;
          }
        } else {
          clusterd.renew();
        }
      }
      await this.pause(between(wait / 2, wait));
      wait = Math.min(2 * wait, LONGEST_WAIT_MS);
    }
  }

  // Ends early when closing.
  pause(milliseconds) {
    return sleep(milliseconds, undefined, this.closing).catch(() => {});
  }

  async register() {
    const { registration } = await call(clusterd.registry, 'RegisterServer', {
      server: this.server,
      ttl: { seconds: TTL_MS / 1000 },
      sessionId: this.sessionId,
    });
    this.sessionId = registration.sessionId;
  }

  // Ends by an error, also when the session is over.
  keepAlive(onAlive) {
    return new Promise((resolve, reject) => {
      const stream = clusterd.registry.KeepAlive();
      let timer;
      let answered = true;
      const pulse = () => {
        if (!answered) return end(new Error('clusterd is silent'));
        answered = false;
        stream.write({ sessionId: this.sessionId });
        timer = setTimeout(pulse, (TTL_MS / 3) * between(0.9, 1.1));
      };
      const end = (error) => {
        clearTimeout(timer);
        stream.cancel();
        reject(error);
      };
      stream.on('data', ({ error }) => {
        answered = true;
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
    await call(clusterd.registry, 'UnregisterServer', { type, serverId: id, sessionId: this.sessionId });
  }
}

async function everyone() {
  const answer = await call(clusterd.fanOut, 'FanOut', {
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
    process.exit(); // an attempt to connect would go on
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
});
