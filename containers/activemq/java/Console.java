import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Properties;
import javax.servlet.DispatcherType;
import javax.servlet.ServletException;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.eclipse.jetty.annotations.AnnotationConfiguration;
import org.eclipse.jetty.security.ConstraintMapping;
import org.eclipse.jetty.security.ConstraintSecurityHandler;
import org.eclipse.jetty.security.HashLoginService;
import org.eclipse.jetty.security.UserStore;
import org.eclipse.jetty.security.authentication.BasicAuthenticator;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.handler.AbstractHandler;
import org.eclipse.jetty.server.handler.ContextHandlerCollection;
import org.eclipse.jetty.server.handler.HandlerList;
import org.eclipse.jetty.server.handler.MovedContextHandler;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.servlet.ServletHolder;
import org.eclipse.jetty.util.security.Constraint;
import org.eclipse.jetty.util.security.Password;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.webapp.Configuration;
import org.eclipse.jetty.webapp.MetaInfConfiguration;
import org.eclipse.jetty.webapp.WebAppContext;
import org.eclipse.jetty.webapp.WebInfConfiguration;
import org.eclipse.jetty.webapp.WebXmlConfiguration;
import org.jolokia.http.AgentServlet;

/** ActiveMQ's web console over HTTPS: its pages under /admin, Jolokia under /api/jolokia, both behind a login. */
public final class Console {
    private static final int PORT = 8162;
    private static final String ROLE = "console";
    private final Server server = new Server();

    /**
     * Limits every Jetty listener made from now on, the broker's wss included, to these suites
     * (IANA names, comma-separated).
     *
     * ActiveMQ gives a wss listener no setting for it (transport.enabledCipherSuites has no effect there),
     * and Jetty of itself excludes 10 of the 18 documented suites.
     */
    public static void limitSuites(String suites) throws ReflectiveOperationException {
        Field field = SslContextFactory.class.getDeclaredField("DEFAULT_EXCLUDED_CIPHER_SUITES");
        field.setAccessible(true);
        Arrays.fill((String[]) field.get(null), "^(?!(" + suites.replace(',', '|') + ")$).*$");
    }

    /** {@code users} is a properties file, user name to password; {@code pages} the web application's folder. */
    public Console(String keyStore, String keyStorePassword, String users, String pages) throws IOException {
        ConstraintSecurityHandler security = new ConstraintSecurityHandler();
        HashLoginService login = new HashLoginService("ActiveMQ");
        login.setUserStore(loaded(users));
        security.setLoginService(login);
        BasicAuthenticator basic = new BasicAuthenticator();
        basic.setCharset(StandardCharsets.UTF_8);
        security.setAuthenticator(basic);
        security.addConstraintMapping(loginEverywhere());
        security.setHandler(new HandlerList(new Pages(pages), new ContextHandlerCollection(jolokia(), new MovedContextHandler(null, "/", "/admin"))));
        server.setHandler(security);

        SslContextFactory.Server tls = new SslContextFactory.Server();
        tls.setKeyStorePath(keyStore);
        tls.setKeyStorePassword(keyStorePassword);
        HttpConfiguration http = new HttpConfiguration();
        http.setSendServerVersion(false);
        http.addCustomizer(new SecureRequestCustomizer(false)); // any name that leads here will do
        ServerConnector connector = new ServerConnector(server, tls, new HttpConnectionFactory(http));
        connector.setPort(PORT);
        server.addConnector(connector);
    }

    public void start() throws Exception {
        server.start();
    }

    public void stop() throws Exception {
        server.stop();
    }

    private static UserStore loaded(String file) throws IOException {
        Properties passwords = new Properties();
        try (InputStream in = new FileInputStream(file)) {
            passwords.load(in);
        }
        UserStore store = new UserStore();
        for (String user : passwords.stringPropertyNames()) {
            store.addUser(user, new Password(passwords.getProperty(user)), new String[] {ROLE});
        }
        return store;
    }

    private static ConstraintMapping loginEverywhere() {
        Constraint constraint = new Constraint(Constraint.__BASIC_AUTH, ROLE);
        constraint.setAuthenticate(true);
        ConstraintMapping mapping = new ConstraintMapping();
        mapping.setPathSpec("/*");
        mapping.setConstraint(constraint);
        return mapping;
    }

    private static ServletContextHandler jolokia() {
        ServletContextHandler context = new ServletContextHandler(ServletContextHandler.NO_SESSIONS);
        context.setContextPath("/api");
        ServletHolder holder = new ServletHolder(AgentServlet.class);
        holder.setInitParameter("policyLocation", "file:/opt/activemq/etc/jolokia-access.xml");
        holder.setInitParameter("allowErrorDetails", "false");
        holder.setInitOrder(1);
        context.addServlet(holder, "/jolokia/*");
        return context;
    }

    /** The pages start when somebody first asks for one: that takes most of a second, and most nodes are never asked. */
    private static final class Pages extends AbstractHandler {
        private final WebAppContext context;

        Pages(String folder) {
            context = new WebAppContext(folder, "/admin");
            context.setParentLoaderPriority(true);
            context.setThrowUnavailableOnStartupException(true);
            context.addFilter(ConsoleUser.class, "/*", EnumSet.of(DispatcherType.REQUEST));
            context.setAttribute("org.eclipse.jetty.server.webapp.ContainerIncludeJarPattern", ".*/taglibs-[^/]*\\.jar$");
            context.setConfigurations(new Configuration[] {
                new WebInfConfiguration(), new WebXmlConfiguration(), new MetaInfConfiguration(), new AnnotationConfiguration(),
            });
        }

        @Override
        public void handle(String target, Request base, HttpServletRequest request, HttpServletResponse response)
                throws IOException, ServletException {
            if (target.equals("/admin") || target.startsWith("/admin/")) {
                startOnce();
                context.handle(target, base, request, response);
            }
        }

        private synchronized void startOnce() throws ServletException {
            try {
                if (!context.isStarted()) {
                    context.setServer(getServer());
                    context.start();
                }
            } catch (Exception error) {
                throw new ServletException("the console's pages did not start", error);
            }
        }

        @Override
        protected void doStop() throws Exception {
            context.stop();
            super.doStop();
        }
    }
}
