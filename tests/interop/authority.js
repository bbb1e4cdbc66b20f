// mIT: clusters keyed by type and publicBaseUrl. Nothing expires.
'use strict';

const { randomUUID } = require('crypto');

const REMOVAL = /^\/mIT\/v1\/itResources\/([^/]+)\/servers\/([^/@]+)(?:@(.+))?$/;

class Authority {
  // `isAuthorized` judges an Authorization header.
  constructor(settings, isAuthorized) {
    this.settings = settings;
    this.isAuthorized = isAuthorized;
    this.byKey = new Map();
    this.held = []; // registrations that wait for others, to be answered with them
    this.lastDate = 0;
  }

  clusters() {
    return [...this.byKey.values()];
  }

  // [status, JSON] for a request.
  answer(request, url, body) {
    if (!this.isAuthorized(request.headers.authorization)) return [403, null];
    if (request.method === 'POST' && url.pathname === '/mIT/v1/itResources') {
      return this.register(JSON.parse(body));
    }
    const removal = REMOVAL.exec(decodeURIComponent(url.pathname));
    if (request.method === 'DELETE' && removal) {
      const [, id, serverId, version] = removal;
      return this.remove(id, serverId, version);
    }
    return [404, null];
  }

  register({ type, publicBaseUrl, ...wanted }) {
    const cluster = this.clusterOf(type, publicBaseUrl);
    const own = this.record({ ...wanted, publicBaseUrl }, cluster);
    if (this.settings.simultaneous <= 1) return this.registered(cluster);

    const alone = { ...cluster, servers: [own] };
    return new Promise((resolve) => {
      this.held.push(() => resolve(this.registered(alone)));
      if (this.held.length >= this.settings.simultaneous) this.releaseHeld();
    });
  }

  releaseHeld() {
    this.settings.simultaneous = 1;
    this.held.splice(0).forEach((release) => release());
  }

  registered(cluster) {
    const { leaseTime, wrapped } = this.settings;
    const answer = {
      itResource: structuredClone(cluster),
      ...leaseTime !== null && { leaseTime },
    };
    return [200, wrapped ? { data: answer } : answer];
  }

  clusterOf(type, publicBaseUrl) {
    const key = JSON.stringify([type, publicBaseUrl]);
    if (!this.byKey.has(key)) {
      this.byKey.set(key, {
        id: randomUUID(), type, publicBaseUrl, servers: [],
      });
    }
    return this.byKey.get(key);
  }

  record(wanted, cluster) {
    const old = cluster.servers.find(({ serverId }) => serverId === wanted.serverId);
    if (!old) {
      const date = this.now();
      const record = {
        ...wanted, createdAt: date, updatedAt: date, ...this.settings.members,
      };
      cluster.servers.push(record);
      return record;
    }
    const before = JSON.stringify(old);
    Object.assign(old, wanted);
    if (this.settings.touch || JSON.stringify(old) !== before) {
      old.updatedAt = this.now();
    }
    return old;
  }

  remove(id, serverId, version) {
    const cluster = this.clusters().find((known) => known.id === id);
    const index = cluster?.servers.findIndex(
      (server) => server.serverId === serverId) ?? -1;
    if (index < 0) return [404, null];

    const server = cluster.servers[index];
    if (version && server.updatedAt > version) return [200, { server }];
    cluster.servers.splice(index, 1);
    return [200, { data: serverId }];
  }

  // Never the same twice.
  now() {
    this.lastDate = Math.max(Date.now(), this.lastDate + 1);
    return new Date(this.lastDate).toISOString();
  }
}

module.exports = { Authority };
