import java.io.IOException;
import javax.servlet.Filter;
import javax.servlet.FilterChain;
import javax.servlet.FilterConfig;
import javax.servlet.ServletException;
import javax.servlet.ServletRequest;
import javax.servlet.ServletResponse;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpSession;

/** Remembers who is logged in to the console, for as long as their request is answered. */
public final class ConsoleUser implements Filter {
    private static final String ATTRIBUTE = ConsoleUser.class.getName();
    private static final ThreadLocal<String> NAME = new ThreadLocal<>();

    /** Returns the name of the user whose request this thread answers. */
    static String name() {
        if (NAME.get() == null) {
            throw new IllegalStateException("no user of the console is logged in here");
        }
        return NAME.get();
    }

    @Override
    public void init(FilterConfig unused) { }

    @Override
    public void destroy() { }

    @Override
    public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain) throws IOException, ServletException {
        HttpServletRequest http = (HttpServletRequest) request;
        String user = http.getRemoteUser();
        HttpSession session = http.getSession();
        if (!session.isNew() && !user.equals(session.getAttribute(ATTRIBUTE))) {
            session.invalidate(); // another user's cookie: the pages keep a connection in the session
            session = http.getSession();
        }
        session.setAttribute(ATTRIBUTE, user);
        NAME.set(user);
        try {
            chain.doFilter(request, response);
        } finally {
            NAME.remove();
        }
    }
}
