// Fan-outs by the genuine npm package, a fixed number of them in flight, in this
// process, which stays for all turns: V8 needs thousands of requests until its code
// is as fast as it gets.
//   node reference_load.js PACKAGES OPTIONS
// PACKAGES: the folder whose node_modules holds it. OPTIONS, as JSON: urls,
// concurrency, warm_up (calls), muted (its logger drops everything, which no setting
// does), out: the file descriptor of the answers, because it logs to the usual ones.
// Each line of standard input is a number of seconds to call for, answered with a
// JSON line of figures; the first line of all says that it is warm. The account is
// the environment's.
'use strict';

const fs = require('fs');
const path = require('path');
const readline = require('readline');
const { createRequire } = require('module');

const { securityOf } = require('../interop/account');

const [packages, options] = process.argv.slice(2);
const {
  out, urls, concurrency, warm_up: warmUp, muted,
} = JSON.parse(options);
const requireInstalled = createRequire(path.join(packages, 'package.json'));
const buildCluster = requireInstalled('@mimik/cluster');
requireInstalled('@mimik/sumologic-winston-logger').silent = muted;

const { env } = process;
const type = env.SERVER_TYPE;

const cluster = buildCluster({
  serverSettings: { type, id: env.SERVER_ID, public: {} },
  cluster: { management: 'on', timeout: 10000 },
  dependencies: { [type]: { audience: env.OAUTH_GENERIC_AUDIENCE } },
  security: securityOf(env),
});

// As a join that names all the others would.
function join() {
  const servers = urls.map((url, number) => ({
    serverId: `node-${number}`, clusterBaseUrl: url, updatedAt: new Date().toISOString(),
  }));
  const request = {
    method: 'POST',
    url: '/',
    headers: {},
    socket: {},
    cluster: true,
    tokenType: type,
    swagger: {
      params: { newItResource: { value: { id: 'bench', servers } } },
      operation: { operationId: 'createItResource' },
    },
  };
  return new Promise((resolve) => {
    cluster.createItResource(request, { setHeader() {}, end: resolve });
  });
}

async function callWhile(wanted, latencies) {
  while (wanted()) {
    const start = performance.now();
    const { results } = await cluster.rpCluster({ method: 'GET', url: '/answer' });
    if (results.length !== urls.length) {
      throw new Error(`${results.length} results of ${urls.length}`);
    }
    latencies.push((performance.now() - start) * 1000);
  }
}

// The latencies of all calls in microseconds, sorted; `wanted(done)` says whether to
// make another one.
async function run(wanted) {
  const latencies = [];
  await Promise.all(Array.from({ length: concurrency }, () => callWhile(
    () => wanted(latencies.length), latencies)));
  return latencies.sort((a, b) => a - b);
}

async function measure(seconds) {
  const start = performance.now();
  const before = process.cpuUsage();
  const latencies = await run(() => performance.now() < start + seconds * 1000);
  const { user, system } = process.cpuUsage(before);
  const elapsed = (performance.now() - start) / 1000;
  const calls = latencies.length;
  return {
    calls,
    calls_per_second: calls / elapsed,
    p50_us: latencies[Math.floor(calls / 2)],
    cpu_us_per_call: (user + system) / calls,
  };
}

function answer(figures) {
  fs.writeSync(out, `${JSON.stringify(figures)}\n`);
}

async function main() {
  await join();
  await run((done) => done < warmUp);
  answer({ warm: true });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    answer(await measure(Number(line)));
  }
}

main().then(() => process.exit(0), (error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
