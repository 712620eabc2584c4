import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;
import org.apache.activemq.network.NetworkConnector;
import org.springframework.beans.factory.config.BeanPostProcessor;

/**
 * Gives every network connector the password of the broker's own user of the same name: the customer's
 * configuration has none. Not by a placeholder: Spring would take a password with ${ or #{ in it for an expression.
 */
public final class NetworkUsers implements BeanPostProcessor {
    private final Properties users = new Properties();

    /** {@code users} is a properties file, user name to password. */
    public NetworkUsers(String users) throws IOException {
        try (InputStream in = new FileInputStream(users)) {
            this.users.load(in);
        }
    }

    @Override
    public Object postProcessBeforeInitialization(Object bean, String name) {
        if (bean instanceof NetworkConnector connector) {
            connector.setPassword(connector.getUserName() == null ? null : users.getProperty(connector.getUserName()));
        }
        return bean;
    }
}
