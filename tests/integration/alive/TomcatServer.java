// A service on Tomcat, embedded. Prints `port <number>`.
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.file.Files;
import org.apache.catalina.core.StandardContext;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.SimpleInstanceManager;

public class TomcatServer extends HttpServlet {
  @Override
  protected void service(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    response.setContentType("application/json");
    response.getWriter().write("{\"data\":");
    if (request.getRequestURI().startsWith("/held")) response.flushBuffer();
    response.getWriter().write("\"ok\"}");
  }

  public static void main(String[] arguments) throws Exception {
    Tomcat tomcat = new Tomcat();
    tomcat.setBaseDir(Files.createTempDirectory("tomcat").toString());
    tomcat.setHostname("127.0.0.1");
    tomcat.setPort(0);
    tomcat.getConnector().setProperty("address", "127.0.0.1");
    // Tomcat.addContext looks for annotations, whose classes Debian has elsewhere.
    StandardContext context = new StandardContext();
    context.setName("");
    context.setPath("");
    context.addLifecycleListener(event -> context.setConfigured(true));
    context.setInstanceManager(new SimpleInstanceManager());
    tomcat.getHost().addChild(context);
    Tomcat.addServlet(context, "all", new TomcatServer()).addMapping("/");
    tomcat.start();
    System.out.println("port " + tomcat.getConnector().getLocalPort());
    tomcat.getServer().await();
  }
}
