// A service on the HTTP server of the JDK. Prints `port <number>`.
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

public class JdkServer {
  public static void main(String[] arguments) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.setExecutor(Executors.newCachedThreadPool());
    server.createContext("/", exchange -> {
      exchange.getRequestBody().readAllBytes();
      byte[] body = "{\"data\":\"ok\"}".getBytes("UTF-8");
      exchange.getResponseHeaders().add("Content-Type", "application/json");
      boolean chunked = exchange.getRequestURI().getPath().startsWith("/held");
      exchange.sendResponseHeaders(200, chunked ? 0 : body.length);
      exchange.getResponseBody().write(body);
      exchange.close();
    });
    server.start();
    System.out.println("port " + server.getAddress().getPort());
  }
}
