// What is wrong with a service at the moment, as the test wants it:
//   {"kind": "down"}                     connections are cut
//   {"kind": "slow", "delay": ms}        answers, but late
//   {"kind": "bad"}                      200 and `{}`
//   {"kind": 500}                        that status
// and for how much of it: "method": only such requests, "count": only so many.
'use strict';

class Faults {
  constructor() {
    this.fault = null;
    this.sockets = new Set();
  }

  set(fault) {
    this.fault = fault && { count: Infinity, ...fault };
    if (this.isDown()) this.sockets.forEach((socket) => socket.destroy());
  }

  isDown() {
    return this.fault?.kind === 'down';
  }

  watch(socket) {
    if (this.isDown()) {
      socket.destroy();
      return;
    }
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
  }

  // The answer that the fault makes, [status, JSON]; null: as usual.
  async meet(method) {
    const { fault } = this;
    if (!fault || fault.count <= 0) return null;
    if (fault.method && fault.method !== method) return null;
    fault.count -= 1;
    if (fault.kind === 'slow') {
      await new Promise((resolve) => { setTimeout(resolve, fault.delay); });
      return null;
    }
    return fault.kind === 'bad' ? [200, {}] : [fault.kind, null];
  }
}

module.exports = { Faults };
