import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.Session;
import org.apache.activemq.web.SessionPool;

/** The console's pool of sessions with the broker: one pool for each user. */
public final class ConsoleSessions extends SessionPool {
    private final Map<String, SessionPool> pools = new ConcurrentHashMap<>();

    @Override
    public Connection getConnection() throws JMSException {
        return own().getConnection();
    }

    @Override
    public Session borrowSession() throws JMSException {
        return own().borrowSession();
    }

    @Override
    public void returnSession(Session session) {
        own().returnSession(session);
    }

    private SessionPool own() {
        return pools.computeIfAbsent(ConsoleUser.name(), user -> {
            SessionPool pool = new SessionPool();
            pool.setConnectionFactory(getConnectionFactory());
            return pool;
        });
    }
}
