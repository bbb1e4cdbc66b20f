"""The odd servers that are scripted here, byte by byte. Each is one that curl can
reach: add a row where another one turns up."""
import gzip
import ssl
import zlib

BODY = b'{"data":"ok"}'
# s; clusterd's REQUEST_TIMEOUT, and curl's patience.
TIMEOUT = 3
LATE = 0.9 * TIMEOUT
GIVE_UP = 60  # s, for a client that says nothing


class Habits:
    """How bytes leave, besides what they are."""

    def __init__(self, delay=0, pause=0, piece=None, close=False, reset=False,
                 requests=None, idle=GIVE_UP, tls_delay=0, tls_end=False):
        self.delay = delay  # s, before the first byte
        self.pause = pause  # s, between pieces
        self.piece = piece  # bytes; None: all at once
        self.close = close  # the connection, behind an answer
        self.reset = reset  # it, where it closes
        self.requests = requests  # of one connection that are answered
        self.idle = idle  # s, until a silent connection is closed
        self.tls_delay = tls_delay  # s, before a handshake
        self.tls_end = tls_end  # says by TLS that it closes


class Row:
    """`fails`: the reason for which a call of it fails though curl is content;
    `why`: what justifies that. `tls`: a version, or True for any."""

    def __init__(self, name, answer, *, fails="", why="", host="127.0.0.1",
                 addresses=("127.0.0.1",), tls=None, tickets=True, **habits):
        assert bool(fails) == bool(why), name
        self.name = name
        self.answer = answer
        self.fails = fails
        self.why = why
        self.host = host
        self.addresses = addresses
        self.tls = tls
        self.tickets = tickets
        self.habits = Habits(**habits)


def answer(body=BODY, status=b"HTTP/1.1 200 OK", fields=b"", end=b"\r\n"):
    """`fields`: whole lines."""
    return (status + end + fields + b"Content-Type: application/json" + end
            + b"Content-Length: %d" % len(body) + end + end + body)


def framed(fields, body, status=b"HTTP/1.1 200 OK"):
    """Whose framing is told by `fields` alone."""
    return (status + b"\r\nContent-Type: application/json\r\n" + fields + b"\r\n"
            + body)


def chunked(body, fields=b""):
    return framed(b"Transfer-Encoding: chunked\r\n" + fields, body)


def typed(content_type, body, fields=b""):
    return (b"HTTP/1.1 200 OK\r\n" + content_type + fields
            + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


CHUNKS = b"5\r\n" + BODY[:5] + b"\r\n8\r\n" + BODY[5:] + b"\r\n0\r\n\r\n"
# The same in lines that end in LF, and with sizes that blanks fill up.
LF_CHUNKS = b"d\n" + BODY + b"\n0\n\n"
PADDED_CHUNKS = b"d     \r\n" + BODY + b"\r\n0     \r\n\r\n"
RICH_CHUNKS = (b'd;name="a;b"; c = d\r\n' + BODY
               + b"\r\n000;last\r\nX-Trailer: 1\r\nExpires: never\r\n\r\n")

ADDRESSES = [
    Row("IPv4", answer()),
    Row("another 127.x", answer(), host="127.9.8.7", addresses=["127.9.8.7"]),
    Row("IPv6", answer(), host="[::1]", addresses=["::1"]),
    Row("IPv6 written at length", answer(), host="[0:0:0:0:0:0:0:1]",
        addresses=["::1"]),
    Row("localhost on both families", answer(), host="localhost",
        addresses=["127.0.0.1", "::1"]),
    Row("localhost on IPv4 alone", answer(), host="localhost"),
    Row("localhost on IPv6 alone", answer(), host="localhost", addresses=["::1"]),
    Row("LOCALHOST", answer(), host="LOCALHOST", addresses=["127.0.0.1", "::1"]),
]

STATUS_LINES = [
    Row("status without a reason", answer(status=b"HTTP/1.1 200 ")),
    Row("status without a space", answer(status=b"HTTP/1.1 200")),
    Row("1.0 status without a space", answer(status=b"HTTP/1.0 200"), close=True),
    Row("two spaces before the status", answer(status=b"HTTP/1.1  200 OK")),
    Row("no space behind the status", answer(status=b"HTTP/1.1 200OK")),
    Row("tab behind the status", answer(status=b"HTTP/1.1 200\tOK")),
    Row("version in small letters", answer(status=b"http/1.1 200 ok")),
    Row("reason in Latin-1", answer(status=b"HTTP/1.1 200 Tr\xe8s bien")),
    Row("reason with control characters", answer(status=b"HTTP/1.1 200 \1\x7f")),
    Row("reason of 4,000 letters", answer(status=b"HTTP/1.1 200 " + b"x" * 4000)),
    Row("a 2xx without a name", answer(status=b"HTTP/1.1 299 Sure")),
    Row("lines that end in LF", answer(end=b"\n")),
    Row("lines that end in CR CR LF", answer(end=b"\r\r\n")),
    Row("LF behind the status alone",
        answer(status=b"HTTP/1.1 200\nX-A: b")),
    Row("100 unasked", b"HTTP/1.1 100 Continue\r\n\r\n" + answer()),
    Row("100 without a reason", b"HTTP/1.1 100\r\n\r\n" + answer()),
    Row("103 with links", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        + answer()),
    Row("forty 102", b"HTTP/1.1 102 Processing\r\n\r\n" * 40 + answer()),
    Row("HTTP/2 as text", answer(status=b"HTTP/2 200"), fails="BAD_BODY",
        why="RFC 9112 knows HTTP/1 alone"),
    Row("status 404", answer(status=b"HTTP/1.1 404 Not Found"),
        fails="HTTP_STATUS", why="it says so"),
    Row("status 503", answer(status=b"HTTP/1.1 503"), fails="HTTP_STATUS",
        why="it says so"),
    Row("status 999", answer(status=b"HTTP/1.1 999 X"), fails="HTTP_STATUS",
        why="it says so"),
    Row("redirect to nowhere",
        answer(status=b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/"),
        fails="HTTP_STATUS", why="redirects are not followed"),
]

HEADERS = [
    Row("blank before a colon",
        framed(b"X-A : b\r\nContent-Length : 13\r\n", BODY), close=True),
    Row("no blank behind a colon", framed(b"Content-Length:13\r\n", BODY)),
    Row("folded header", answer(fields=b"X-A: b\r\n c\r\n\td\r\n")),
    Row("folded header of 6,000 letters",
        answer(fields=b"X-A: b\r\n " + b"c" * 6000 + b"\r\n")),
    Row("header without a name", answer(fields=b": b\r\n")),
    Row("header name with a blank", answer(fields=b"my header: b\r\n")),
    Row("header name in UTF-8", answer(fields="X-é: b\r\n".encode())),
    Row("header value in Latin-1", answer(fields=b"X-A: \xe9\r\n")),
    Row("header value with control characters",
        answer(fields=b"X-A: b\1c\x7f\r\n")),
    Row("Connection with a semicolon",
        answer(fields=b"Connection: keep-alive;\r\n")),
    Row("Connection that is no list",
        answer(fields=b'Connection: "a" keep alive / b\r\n')),
    Row("empty Connection", answer(fields=b"Connection:\r\n")),
    Row("odd Proxy-Connection", answer(fields=b"Proxy-Connection: a b\r\n")),
    Row("odd Keep-Alive", answer(fields=b"Keep-Alive: timeout=;;x\r\n")),
    Row("Upgrade unasked",
        answer(fields=b"Upgrade: h2,h2c\r\nConnection: Upgrade\r\n")),
    Row("3,000 headers", answer(fields=b"X-A: some value\r\n" * 3000)),
    Row("header of 60,000 letters",
        answer(fields=b"X-A: " + b"b" * 60_000 + b"\r\n")),
    Row("header of 80,000 letters",
        answer(fields=b"X-A: " + b"b" * 80_000 + b"\r\n"), fails="TOO_LARGE",
        why="64 KiB of headers are the limit"),
    Row("200 KB of headers", answer(fields=b"X-A: some value\r\n" * 12_000),
        fails="TOO_LARGE", why="64 KiB of headers are the limit"),
]

FRAMINGS = [
    Row("length twice", answer(fields=b"Content-Length: 13\r\n")),
    Row("list of equal lengths", framed(b"Content-Length: 13, 13\r\n", BODY)),
    Row("length with zeros", framed(b"CONTENT-LENGTH: 0000013\r\n", BODY)),
    Row("nothing, by length", framed(b"Content-Length: 0\r\n", b"")),
    Row("chunks", chunked(CHUNKS)),
    Row("chunks with extensions and trailers", chunked(RICH_CHUNKS)),
    Row("chunks with padded sizes", chunked(PADDED_CHUNKS)),
    Row("chunks in lines that end in LF", chunked(LF_CHUNKS)),
    Row("chunked twice", chunked(CHUNKS, b"Transfer-Encoding: chunked\r\n")),
    Row("chunked in capitals",
        framed(b"TRANSFER-ENCODING: CHUNKED\r\n", CHUNKS)),
    Row("coding identity",
        answer(fields=b"Transfer-Encoding: identity\r\n"), close=True),
    Row("until it closes", framed(b"", BODY), close=True),
    Row("1.0 until it closes", framed(b"", BODY, b"HTTP/1.0 200 OK"), close=True),
    Row("1.0 that stays", answer(status=b"HTTP/1.0 200 OK",
                                 fields=b"Connection: Keep-Alive\r\n")),
    Row("coding identity until it closes",
        framed(b"Transfer-Encoding: identity\r\n", BODY), close=True),
    Row("204", b"HTTP/1.1 204 No Content\r\n\r\n"),
    Row("204 with a body", answer(status=b"HTTP/1.1 204 No Content")),
    Row("205", b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"),
    Row("304", b"HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n",
        fails="HTTP_STATUS", why="nobody asked on a condition"),
    Row("more than its length", answer() + b"\r\n"),
    Row("two lengths", answer(fields=b"Content-Length: 12\r\n"),
        fails="BAD_BODY", why="where it ends is in doubt"),
    Row("length and chunks", chunked(CHUNKS, b"Content-Length: 5\r\n"),
        fails="BAD_BODY", why="where it ends is in doubt"),
    Row("1.0 with chunks",
        framed(b"Transfer-Encoding: chunked\r\n", CHUNKS, b"HTTP/1.0 200 OK"),
        fails="BAD_BODY", why="where it ends is in doubt"),
    Row("head that is cut off", b"HTTP/1.1 200 OK\r\nX-A: b\r\n", close=True,
        fails="CONNECTION_LOST", why="the head has no end"),
]

SLOW = [
    Row("late first byte", answer(), delay=LATE),
    Row("late 1.0", framed(b"", BODY, b"HTTP/1.0 200 OK"), delay=LATE, close=True),
    Row("byte by byte", answer(), piece=1),
    Row("ten bytes at a time", answer(), piece=10, pause=0.05 * TIMEOUT),
    Row("late behind a 102", b"HTTP/1.1 102 Processing\r\n\r\n" + answer(),
        piece=27, pause=0.8 * TIMEOUT / 4),
    Row("chunks byte by byte", chunked(CHUNKS), piece=1),
    Row("late handshake", answer(), host="localhost", tls=True,
        tls_delay=0.8 * TIMEOUT),
]

ENCODINGS = [
    Row("gzip unasked", answer(gzip.compress(BODY),
                               fields=b"Content-Encoding: gzip\r\n")),
    Row("x-gzip", answer(gzip.compress(BODY),
                         fields=b"Content-Encoding: x-gzip\r\n")),
    Row("deflate", answer(zlib.compress(BODY),
                          fields=b"Content-Encoding: deflate\r\n")),
    Row("deflate without zlib's head",
        answer(raw_deflate(BODY), fields=b"Content-Encoding: deflate\r\n")),
    Row("gzip in chunks until 1.0 would close",
        framed(b"Content-Encoding: gzip\r\n", gzip.compress(BODY)), close=True),
    Row("coding utf-8", answer(fields=b"Content-Encoding: utf-8\r\n")),
    Row("empty coding", answer(fields=b"Content-Encoding:\r\n")),
    Row("without a type", typed(b"", BODY)),
    Row("text in Latin-1",
        typed(b"Content-Type: text/plain; charset=iso-8859-1\r\n", b"\xe9t\xe9")),
    Row("type without a slash", typed(b"Content-Type: json\r\n", BODY)),
    Row("JSON behind a byte order mark", answer(b"\xef\xbb\xbf" + BODY)),
    Row("deep JSON", answer(b'{"data":' + b"[" * 500 + b"]" * 500 + b"}")),
    Row("numbers beyond a double",
        answer(b'{"data":[1e999,123456789012345678901234567890,-0]}')),
    Row("a member twice", answer(b'{"data":1,"data":2}')),
    Row("JSON with blanks around it", answer(b" \r\n\t" + BODY + b"\n\n")),
    Row("JSON that is no object", answer(b'"ok"')),
    Row("bytes", typed(b"Content-Type: application/octet-stream\r\n",
                       bytes(range(256)))),
]

TLS = [
    Row("TLS 1.2", answer(), host="localhost", tls=ssl.TLSVersion.TLSv1_2),
    Row("TLS 1.3", answer(), host="localhost", tls=ssl.TLSVersion.TLSv1_3),
    Row("TLS by address", answer(), tls=True),
    Row("TLS by IPv6 address", answer(), host="[::1]", addresses=["::1"], tls=True),
    Row("TLS without tickets", answer(), host="localhost", tls=True, tickets=False),
    Row("TLS cut off behind an answer with a length", answer(), host="localhost",
        tls=True, close=True),
    Row("TLS until it closes", framed(b"", BODY), host="localhost", tls=True,
        close=True, tls_end=True),
    Row("TLS byte by byte", answer(), host="localhost", tls=True, piece=1),
    Row("TLS reset behind an answer", answer(), host="localhost", tls=True,
        close=True, reset=True),
]

CONNECTIONS = [
    Row("closes, and says so", answer(fields=b"Connection: close\r\n"), close=True),
    Row("says that it closes, and stays", answer(fields=b"Connection: close\r\n")),
    Row("closes, and does not say so", answer(), close=True),
    Row("says that it stays, and closes",
        answer(fields=b"Connection: keep-alive\r\n"), close=True),
    Row("resets behind an answer", answer(fields=b"Connection: close\r\n"),
        close=True, reset=True),
    Row("an empty line behind an answer, later", answer() + b"\r\n",
        piece=len(answer()), pause=0.01),
    Row("closes when idle for 0.3 s", answer(), idle=0.3),
    Row("closes when idle for 10 ms", answer(), idle=0.01),
    Row("three requests for each connection", answer(), requests=3),
]

ROWS = [*ADDRESSES, *STATUS_LINES, *HEADERS, *FRAMINGS, *SLOW, *ENCODINGS, *TLS,
        *CONNECTIONS]
