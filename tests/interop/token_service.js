// mST: OAuth 2 client credentials and refresh tokens, as JWTs.
'use strict';

const { createHmac, randomBytes } = require('crypto');

const REFRESH_LIFE = 24 * 3600; // s

const encode = (value) => Buffer.from(value).toString('base64url');

function sign(claims, key) {
  const head = encode(JSON.stringify({ alg: 'HS256', typ: 'JWT' }));
  const signed = `${head}.${encode(JSON.stringify(claims))}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

// The claims of a token that this key signed; null of any other.
function claimsOf(token, key) {
  const [, payload = ''] = token.split('.');
  try {
    const claims = JSON.parse(Buffer.from(payload, 'base64url'));
    return sign(claims, key) === token ? claims : null;
  } catch {
    return null;
  }
}

class TokenService {
  constructor(settings) {
    this.settings = settings;
    this.issuer = ''; // set once the port is known
    this.clients = {}; // id -> {secret, type}
    this.refreshKey = randomBytes(32);
  }

  // [status, JSON] for a request.
  answer(request, url, body) {
    let wanted = JSON.parse(body);
    if (wanted.grant_type === 'refresh_token') {
      const claims = claimsOf(wanted.refresh_token, this.refreshKey);
      if (!claims || claims.exp < Date.now() / 1000) return [400, null];
      wanted = claims.wanted;
    } else if (wanted.grant_type !== 'client_credentials') {
      return [400, null];
    } else if (this.clients[wanted.client_id]?.secret !== wanted.client_secret) {
      return [401, null];
    }
    delete wanted.client_secret;
    const key = this.settings.audiences[wanted.audience];
    if (!key) return [400, null];
    return [200, { data: this.tokens(wanted, key) }];
  }

  tokens(wanted, key) {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: this.issuer,
      aud: wanted.audience,
      sub: `${wanted.client_id}@clients`,
      subType: this.clients[wanted.client_id].type,
      ...wanted.type === 'cluster' && { type: 'cluster' },
      scope: 'create:itResource delete:server read:echo',
      iat: now,
      exp: now + this.settings.tokenLife,
      jti: randomBytes(8).toString('hex'),
    };
    const refresh = { wanted, exp: now + REFRESH_LIFE };
    return {
      access_token: sign(claims, key),
      refresh_token: sign(refresh, this.refreshKey),
    };
  }

  // Whether an Authorization header holds a token for mIT itself.
  isForMit(header = '') {
    const { audiences, mitAudience } = this.settings;
    const claims = claimsOf(header.replace(/^Bearer /, ''), audiences[mitAudience]);
    return claims !== null && claims.aud === mitAudience
      && claims.type !== 'cluster' && claims.exp > Date.now() / 1000;
  }
}

module.exports = { TokenService };
