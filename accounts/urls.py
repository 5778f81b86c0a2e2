from django.urls import path

from accounts import views

app_name = "accounts"
urlpatterns = [
    path("sign-in/", views.sign_in, name="sign_in"),
    path("sign-in/<str:token>/", views.signin_link, name="signin_link"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("language/", views.set_language, name="set_language"),
    path("account/", views.account, name="account"),
    path("invitation/<str:token>/", views.invitation, name="invitation"),
    path("p/<slug:slug>/people/", views.people, name="people"),
    path("p/<slug:slug>/people/<int:user_id>/role/", views.change_role, name="change_role"),
    path("p/<slug:slug>/people/<int:user_id>/group/", views.change_group, name="change_group"),
    path("p/<slug:slug>/people/<int:user_id>/remove/", views.remove_member, name="remove_member"),
    path(
        "p/<slug:slug>/people/invitations/<int:invitation_id>/revoke/",
        views.revoke_invitation,
        name="revoke_invitation",
    ),
]
