// A service on Node.js: server.js MODE. Prints `port <number>`.
const http = require('http');

const mode = process.argv[2];
const body = '{"data":"ok"}';

const server = http.createServer((request, response) => {
  request.resume();
  if (mode === 'nameless') response.statusMessage = ' ';
  response.setHeader('content-type', 'application/json; charset=utf-8');
  if (mode === 'chunked') {
    response.write(body.slice(0, 5));
    response.end(body.slice(5));
  } else {
    response.setHeader('content-length', body.length);
    response.end(body);
  }
});
if (mode === 'impatient') server.keepAliveTimeout = 300;
server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
