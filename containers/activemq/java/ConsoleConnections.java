import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.util.Properties;
import javax.jms.JMSException;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;

/** Connects the console's pages to the broker as the user who is logged in. */
public final class ConsoleConnections extends ActiveMQConnectionFactory {
    private final Properties passwords = new Properties();

    /** {@code users} is a properties file, user name to password. */
    public ConsoleConnections(URI broker, String users) throws IOException {
        super(broker);
        setUserName(""); // without one, the pages read the Authorization header, by a class that Java has no longer
        try (InputStream in = new FileInputStream(users)) {
            passwords.load(in);
        }
    }

    @Override
    protected ActiveMQConnection createActiveMQConnection(String user, String password) throws JMSException {
        return super.createActiveMQConnection(ConsoleUser.name(), passwords.getProperty(ConsoleUser.name()));
    }
}
