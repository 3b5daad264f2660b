import java.net.URI;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Set;
import javax.servlet.DispatcherType;
import org.apache.solr.servlet.CoreContainerProvider;
import org.apache.solr.servlet.SolrDispatchFilter;
import org.eclipse.jetty.http2.server.HTTP2CServerConnectionFactory;
import org.eclipse.jetty.server.AsyncRequestLogWriter;
import org.eclipse.jetty.server.CustomRequestLog;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.handler.gzip.GzipHandler;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.util.resource.Resource;

/**
 * Serves Solr's own dispatch filter on Jetty below /solr: the lab's start.jar.
 *
 * <p>Takes the module arguments and system properties that Solr's start script passes to the real start.jar: {@code
 * --module=http} (always), {@code --module=requestlog}, {@code --module=gzip}; {@code jetty.port}, {@code
 * solr.jetty.host}, {@code solr.solr.home}, {@code solr.log.dir}.
 */
public final class SolrServer {
  private static final Set<String> MODULES = Set.of("--module=http", "--module=requestlog", "--module=gzip");
  private static final int START_FAILED = 1;
  private static final int USAGE = 2;

  private SolrServer() {}

  /** Runs until SIGTERM. Exits with 1 when the server does not start, with 2 on an argument it does not know. */
  public static void main(String[] arguments) {
    Set<String> modules = Set.of(arguments);
    if (!MODULES.containsAll(modules) || !modules.contains("--module=http")) {
      System.err.println("start.jar (lab stand-in): takes only --module=http, --module=requestlog, --module=gzip; got " + modules);
      System.exit(USAGE);
    }
    try {
      Server server = server(modules);
      server.start();
      server.join();
    } catch (Throwable failure) {
      // Solr's own threads would keep a server alive that listens nowhere.
      System.err.println("start.jar (lab stand-in): did not start: " + failure);
      failure.printStackTrace();
      System.exit(START_FAILED);
    }
  }

  private static Server server(Set<String> modules) throws Exception {
    Server server = new Server();
    server.addConnector(connector(server));
    ServletContextHandler solr = solr(System.getProperty("solr.solr.home"));
    if (modules.contains("--module=gzip")) {
      GzipHandler gzip = new GzipHandler();
      gzip.setHandler(solr);
      server.setHandler(gzip);
    } else {
      server.setHandler(solr);
    }
    if (modules.contains("--module=requestlog")) {
      server.setRequestLog(requestLog(System.getProperty("solr.log.dir")));
    }
    server.setStopAtShutdown(true);
    server.setStopTimeout(30_000);
    return server;
  }

  private static ServerConnector connector(Server server) {
    HttpConfiguration http = new HttpConfiguration();
    http.setSendServerVersion(false);
    http.setRequestHeaderSize(65_535); // as Solr's jetty.xml: search URLs are long
    http.setResponseHeaderSize(65_535);
    ServerConnector connector =
        new ServerConnector(server, new HttpConnectionFactory(http), new HTTP2CServerConnectionFactory(http));
    connector.setHost(System.getProperty("solr.jetty.host", "127.0.0.1"));
    connector.setPort(Integer.getInteger("jetty.port", 8983));
    connector.setIdleTimeout(120_000);
    return connector;
  }

  /** What the distribution's web.xml says, less the admin pages, which no registry carries. */
  private static ServletContextHandler solr(String home) throws Exception {
    ServletContextHandler context = new ServletContextHandler(ServletContextHandler.NO_SESSIONS);
    URI base = Path.of(home).toUri();
    context.setContextPath("/solr");
    context.setBaseResource(Resource.newResource(base));
    context.addEventListener(new CoreContainerProvider());
    context.addFilter(SolrDispatchFilter.class, "/*", EnumSet.of(DispatcherType.REQUEST));
    return context;
  }

  private static CustomRequestLog requestLog(String folder) {
    AsyncRequestLogWriter writer = new AsyncRequestLogWriter(folder + "/yyyy_mm_dd.request.log");
    writer.setFilenameDateFormat("yyyy_MM_dd");
    writer.setRetainDays(Integer.getInteger("solr.log.requestlog.retaindays", 3));
    writer.setAppend(true);
    writer.setTimeZone("UTC");
    return new CustomRequestLog(writer, CustomRequestLog.NCSA_FORMAT);
  }
}
