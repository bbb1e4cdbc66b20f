// What a service proves itself by, as the package's configuration names it.
'use strict';

function securityOf(env) {
  return {
    server: {
      issuer: env.OAUTH_ISSUER,
      id: env.OAUTH_CLIENT_ID,
      secret: env.OAUTH_CLIENT_SECRET,
      audience: env.OAUTH_CLIENT_AUDIENCE,
      accessKey: env.OAUTH_CLIENT_ACCESS_KEY,
    },
    generic: {
      audience: env.OAUTH_GENERIC_AUDIENCE,
      key: env.OAUTH_GENERIC_KEY,
      previousKey: env.OAUTH_GENERIC_PREVIOUS_KEY,
    },
    admin: {},
  };
}

module.exports = { securityOf };
